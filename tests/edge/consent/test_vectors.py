"""Every string of the public vectors is read as the official libraries read it, or refused as by them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge.consent import canada, gpp, tcf
from edge.consent.bits import Ids, ids_of
from edge.consent.tcf import TcString
from edge.errors import ConsentError
from tests.edge.consent.make import encoded

VECTORS = 30, 46, 19


@pytest.fixture(scope="module")
def folder(data_dir: Path) -> Path:
    return data_dir / "iab-consent"


def _read(folder: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / f"{name}.json").read_text())
    return found


def _time(ms: int) -> str:
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def _ids(found: Ids | None) -> list[int]:
    return list(ids_of(found or 0))


def _restrictions(found: TcString) -> list[dict[str, Any]]:
    """As the library keeps them: those of one purpose and kind together, without empty ones."""
    merged: dict[tuple[int, int], Ids] = {}
    for purpose, kind, vendors in found.restrictions:
        if vendors:
            merged[purpose, kind] = merged.get((purpose, kind), 0) | vendors
    return [
        {"purposeId": purpose, "restrictionType": kind, "vendors": _ids(vendors)}
        for (purpose, kind), vendors in merged.items()
    ]


def _as_tcf_vector(found: TcString) -> dict[str, Any]:
    return {
        "version": found.version,
        "cmpId": found.cmp_id,
        "cmpVersion": found.cmp_version,
        "consentScreen": found.screen,
        "consentLanguage": found.language,
        "vendorListVersion": found.vendor_list_version,
        "policyVersion": found.policy_version,
        "isServiceSpecific": found.is_service_specific,
        "useNonStandardTexts": found.non_standard_texts,
        "purposeOneTreatment": found.purpose_one_treatment,
        "publisherCountryCode": found.country,
        "created": _time(found.created_ms),
        "lastUpdated": _time(found.updated_ms),
        "specialFeatureOptins": _ids(found.special_features),
        "purposeConsents": _ids(found.purpose_consents),
        "purposeLegitimateInterests": _ids(found.purpose_interests),
        "vendorConsents": _ids(found.vendor_consents),
        "vendorLegitimateInterests": _ids(found.vendor_interests),
        "vendorsDisclosed": _ids(found.disclosed),
        "publisherConsents": _ids(found.publisher.consents) if found.publisher else [],
        "publisherRestrictions": _restrictions(found),
    }


def _flags(found: Ids, count: int) -> list[bool]:
    return [bool(found >> number & 1) for number in range(1, count + 1)]


def _entries(found: TcString) -> list[dict[str, Any]]:
    return [
        {"key": purpose, "type": kind, "ids": _ids(vendors)} for purpose, kind, vendors in found.restrictions
    ]


def _head(found: TcString) -> dict[str, Any]:
    return {
        "Version": found.version,
        "Created": _time(found.created_ms),
        "LastUpdated": _time(found.updated_ms),
        "CmpId": found.cmp_id,
        "CmpVersion": found.cmp_version,
        "ConsentScreen": found.screen,
        "ConsentLanguage": found.language,
        "VendorListVersion": found.vendor_list_version,
    }


def _as_europe(found: TcString) -> dict[str, Any]:
    publisher = found.publisher or tcf.Publisher()
    custom = publisher.custom_purposes
    return {
        **_head(found),
        "PolicyVersion": found.policy_version,
        "IsServiceSpecific": found.is_service_specific,
        "UseNonStandardStacks": found.non_standard_texts,
        "SpecialFeatureOptins": _flags(found.special_features, 12),
        "PurposeConsents": _flags(found.purpose_consents, 24),
        "PurposeLegitimateInterests": _flags(found.purpose_interests, 24),
        "PurposeOneTreatment": found.purpose_one_treatment,
        "PublisherCountryCode": found.country,
        "VendorConsents": _ids(found.vendor_consents),
        "VendorLegitimateInterests": _ids(found.vendor_interests),
        "PublisherRestrictions": _entries(found),
        "PublisherPurposesSegmentType": 3,
        "PublisherConsents": _flags(publisher.consents, 24),
        "PublisherLegitimateInterests": _flags(publisher.interests, 24),
        "NumCustomPurposes": custom,
        "PublisherCustomConsents": _flags(publisher.custom_consents, custom),
        "PublisherCustomLegitimateInterests": _flags(publisher.custom_interests, custom),
        "VendorsAllowedSegmentType": 2,
        "VendorsAllowed": _ids(found.allowed),
        "VendorsDisclosedSegmentType": 1,
        "VendorsDisclosed": _ids(found.disclosed),
    }


def _as_canada(found: TcString) -> dict[str, Any]:
    publisher = found.publisher or tcf.Publisher()
    custom = publisher.custom_purposes
    return {
        **_head(found),
        "TcfPolicyVersion": found.policy_version,
        "UseNonStandardStacks": found.non_standard_texts,
        "SpecialFeatureExpressConsent": _flags(found.special_features, 12),
        "PurposesExpressConsent": _flags(found.purpose_consents, 24),
        "PurposesImpliedConsent": _flags(found.purpose_interests, 24),
        "VendorExpressConsent": _ids(found.vendor_consents),
        "VendorImpliedConsent": _ids(found.vendor_interests),
        "PubRestrictions": _entries(found),
        "PubPurposesSegmentType": 3,
        "PubPurposesExpressConsent": _flags(publisher.consents, 24),
        "PubPurposesImpliedConsent": _flags(publisher.interests, 24),
        "NumCustomPurposes": custom,
        "CustomPurposesExpressConsent": _flags(publisher.custom_consents, custom),
        "CustomPurposesImpliedConsent": _flags(publisher.custom_interests, custom),
        "DisclosedVendorsSegmentType": 1,
        "DisclosedVendors": _ids(found.disclosed),
    }


def _as_gpp_vector(text: str) -> dict[str, Any]:
    found = gpp.decode(text)
    sections: dict[str, Any] = {
        name: {key: list(value) if isinstance(value, tuple) else value for key, value in fields.items()}
        for name, fields in found.states.items()
    }
    if gpp.EUROPE in found.tc:
        sections["tcfeuv2"] = _as_europe(found.tc[gpp.EUROPE])
    if gpp.CANADA in found.tc:
        sections["tcfcav1"] = _as_canada(found.tc[gpp.CANADA])
    return {
        "sectionIds": list(found.section_ids),
        "header": {"Id": 3, "Version": 1, "SectionIds": list(found.section_ids)},
        "decoded": sections,
    }


def test_all_tc_strings_are_read_as_the_official_library_reads_them(folder: Path) -> None:
    vectors = _read(folder, "tcf_vectors")

    assert len(vectors) == VECTORS[0]
    for vector in vectors:
        assert _as_tcf_vector(tcf.decode(vector["string"])) == vector["decoded"], vector["source"]


def test_all_gpp_strings_are_read_as_the_official_library_reads_them(folder: Path) -> None:
    vectors = _read(folder, "gpp_vectors")

    assert len(vectors) == VECTORS[1]
    for vector in vectors:
        wanted = {key: vector[key] for key in ("sectionIds", "header", "decoded")}
        assert _as_gpp_vector(vector["string"]) == wanted, vector["source"]


def test_what_the_official_libraries_refuse_is_refused(folder: Path) -> None:
    vectors = _read(folder, "rejected_by_oracle")

    assert len(vectors) == VECTORS[2]
    for vector in vectors:
        with pytest.raises(ConsentError):
            {"tcf": tcf.decode, "gpp": gpp.decode}[vector["as"]](vector["string"])


def test_canadian_ranges_of_the_first_encoders_are_read_too() -> None:
    head = "000001" + "0" * 72 + "0" * 12 + "0" * 12 + "0" * 6 + "0" * 12 + "0" * 12 + "0" * 7 + "0" * 60
    vendors = f"{300:016b}" + "1" + f"{1:012b}" + "1" + f"{200:016b}{300:016b}"

    found = canada.read(encoded(head + vendors + "0" * 17 + "0" * 12))

    assert ids_of(found.vendor_consents) == tuple(range(200, 301))
