"""models/*.yaml as JSON Schema: recommenders and predictions."""

from collections.abc import Mapping
from typing import Any, Final

from compiler.models.budgets import budget_schema
from compiler.models.smallest import smallest_schema
from compiler.schema.consent import DEFINITIONS, purposes_schema
from edge.bundle.predictions import MAX_OUTPUTS

Schema = dict[str, Any]
Recipes = Mapping[str, Mapping[str, Schema]]

_TEXT: Final[Schema] = {"type": "string", "minLength": 1}


def models_schema(recipes: Recipes, predictions: Recipes, output: Schema) -> tuple[str, Schema]:
    """What a model is, and the schema of its file; `output` is that of an output's name."""
    either = [_recommender(recipes), _prediction(predictions, output)]
    return "A model: a recommender, or a prediction.", {"anyOf": either, "definitions": DEFINITIONS}


def _recommender(recipes: Recipes) -> Schema:
    keys: dict[str, Schema | bool] = {
        "recipe": {"description": "How it is trained.", "enum": sorted(recipes)},
        "interactions": _text("Who did something with which item, and when; a path in the workspace."),
        "fallback": _text("The model that answers for a visitor without a history."),
        "purposes": purposes_schema("What histories are used for: it has none where one is not granted."),
        "features": _features("What it takes in of the context, of features.yaml."),
        "users": _text("What is known of users, for features: CSV or Parquet with the column `user`."),
        "smallest": smallest_schema(),
        "budget": budget_schema("What it may cost, instead of what site.yaml says of each model."),
    }
    about = "A recommender: a recipe, its data and its settings."
    return _file(about, keys, recipes, required=["recipe", "interactions"])


def _prediction(recipes: Recipes, output: Schema) -> Schema:
    keys: dict[str, Schema | bool] = {
        "recipe": {"description": "How it is trained.", "enum": sorted(recipes)},
        "data": _text("What it learns from: CSV or Parquet, its columns named like attributes."),
        "label": _text("The column that says what became of each row."),
        "weight": _text("The column that says how much a row counts. Left out: 1."),
        "group": _text("The column of what is ranked against each other."),
        "treatment": _text("The column that says who was treated, for uplift."),
        "time": _text("The column with each row's time: what is reported is then measured on the newest."),
        "by": {
            "description": "Columns by which visitors differ: its card says how good it is for each.",
            "anyOf": [_TEXT, {"type": "array", "uniqueItems": True, "items": _TEXT}],
        },
        "text": _text("The attribute, a text, that it reads instead of features."),
        "features": _features("What it is made from, of features.yaml."),
        "outputs": {
            "description": "What it predicts, where that is more than one number.",
            "anyOf": [
                {
                    "type": "array",
                    "minItems": 2,
                    "maxItems": MAX_OUTPUTS,
                    "uniqueItems": True,
                    "items": output,
                },
                {
                    "type": "object",
                    "minProperties": 2,
                    "maxProperties": MAX_OUTPUTS,
                    "propertyNames": output,
                    "additionalProperties": _TEXT,
                },
            ],
        },
        "purposes": purposes_schema("What it is used for: it is missing where one is not granted."),
        "smallest": smallest_schema(),
        "budget": budget_schema("What it may cost, instead of what site.yaml says of each model."),
    }
    about = "A prediction: an attribute that rules may read, model.NAME."
    either = [{"required": ["features"]}, {"required": ["text"]}]
    return _file(about, keys, recipes, required=["recipe", "data"], oneOf=either)


def _file(about: str, keys: Mapping[str, Schema | bool], recipes: Recipes, **more: Any) -> Schema:
    """A mapping of these keys, and of the settings of its recipe."""
    any_setting = {name: True for settings in recipes.values() for name in sorted(settings)}
    fitting = [
        {
            "if": {"properties": {"recipe": {"const": recipe}}, "required": ["recipe"]},
            "then": {"properties": dict(settings), "propertyNames": {"enum": [*keys, *settings]}},
        }
        for recipe, settings in sorted(recipes.items())
    ]
    return {
        "description": about,
        "type": "object",
        "properties": {**keys, **any_setting},
        "additionalProperties": False,
        "allOf": fitting,
        **more,
    }


def _features(about: str) -> Schema:
    some = {"type": "array", "minItems": 1, "uniqueItems": True, "items": _TEXT}
    return {"description": about, "anyOf": [_TEXT, some]}


def _text(about: str) -> Schema:
    return {"description": about, **_TEXT}
