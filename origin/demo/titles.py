"""The words of the generated catalogue: titles and one-line stories, by genre."""

from typing import Final

PATTERNS: Final = (
    "The {adjective} {noun}",
    "{adjective} {noun}",
    "{noun} of {place}",
    "The {noun} of {place}",
    "{place}, {time}",
    "The Last {noun}",
    "{noun} and {noun2}",
    "{time} in {place}",
    "A {noun} for {name}",
    "{name}'s {noun}",
    "{name} and the {noun}",
    "No {noun} in {place}",
)

TIMES: Final = [
    "Midnight",
    "Autumn",
    "Sunday",
    "Winter",
    "Daybreak",
    "Late August",
    "The Long Night",
    "First Snow",
    "Eleven O'Clock",
]
NAMES: Final = [
    "Mara",
    "Ines",
    "Jonas",
    "Ottilie",
    "Rafael",
    "Noor",
    "Zoë",
    "Émile",
    "Søren",
    "Lucía",
    "Tadeusz",
    "Wren",
    "Amara",
    "Björn",
    "Chiara",
    "Dov",
    "Félix",
    "Greta",
    "Hana",
    "Ilya",
    "Juno",
    "Kaspar",
    "Leonie",
    "Milo",
]

WORDS: Final[dict[str, tuple[str, str, str]]] = {
    "Sci-Fi": (
        "Silent|Hollow|Orbital|Second|Distant|Parallel|Weightless|Synthetic|Cold|Binary",
        "Orbit|Signal|Meridian|Colony|Airlock|Eclipse|Horizon|Machine|Archive|Gravity|Telemetry|Beacon",
        "Europa|Titan|Station Nine|Ceres|the Outer Ring|New Lagos|Tau Ceti|the Kuiper Gate",
    ),
    "Drama": (
        "Quiet|Borrowed|Unfinished|Ordinary|Broken|Open|Patient|Small|Inherited|Faithful",
        "Harvest|Letter|Orchard|Daughter|Winter|Promise|Kitchen|Silence|Tide|House|Bridge|Teacher",
        "Gdańsk|Porto|Minnow Creek|Halifax|Trieste|Oaxaca|Saint-Malo|Leith",
    ),
    "Comedy": (
        "Accidental|Perfectly Normal|Reluctant|Extremely Polite|Part-Time|Overdue|Deluxe|Almost Legal",
        "Wedding|Landlord|Reunion|Goldfish|Holiday|Caterer|Neighbour|Manager|Karaoke|Parade|Casserole|Uncle",
        "Luton|Boca Vista|Bruges|the Third Floor|Lower Wick|Malmö|Gate 42|Swindon",
    ),
    "Thriller": (
        "Blind|Seventh|Hidden|Burning|Fatal|Frozen|Vanishing|Double|Silent|Locked",
        "Witness|Cipher|Protocol|Passenger|Alibi|Corridor|Deadline|Ransom|Stranger|Verdict|Exit|Shadow",
        "Zürich|Odessa|Platform Six|Vantaa|Macau|the Tenth Floor|Belgrade|Calais",
    ),
    "Romance": (
        "Tender|Second|Borrowed|Salted|Summer|Almost|Paper|Sweet|Unsent|Golden",
        "Hearts|Kiss|Waltz|Letters|Promise|Balcony|Vineyard|Season|Serenade|Ferry|Garden|Violin",
        "Lisbon|Verona|the Île de Ré|Kyoto|Savannah|Coimbra|Capri|Dubrovnik",
    ),
    "Crime": (
        "Crooked|Clean|Dirty|Honest|Loaded|Quick|Marked|Bitter|Small-Time|Velvet",
        "Heist|Ledger|Getaway|Racket|Safe|Informer|Precinct|Diamond|Alley|Verdict|Deal|Bagman",
        "Naples|Marseille|South Pier|Baltimore|Antwerp|Glasgow|Pigalle|Kowloon",
    ),
    "Adventure": (
        "Lost|Emerald|Forgotten|Endless|Sunken|Uncharted|Brass|Wild|Hidden|Ninth",
        "Expedition|River|Compass|Island|Caravan|Summit|Temple|Passage|Map|Monsoon|Airship|Lagoon",
        "Zanzibar|the Karakoram|Patagonia|the Orinoco|Samarkand|Baffin|Kilwa|the Sunda Sea",
    ),
    "Animation": (
        "Little|Curious|Sleepy|Paper|Upside-Down|Giggling|Invisible|Flying|Clockwork|Brave",
        "Otter|Robot|Teapot|Whale|Lighthouse|Dragon|Balloon|Hedgehog|Sock|Moon|Snail|Umbrella",
        "Puddle Town|the Cloud Factory|Button Bay|the Attic|Noodle Street|Pinecone Hill|the Ice Rink",
    ),
    "Fantasy": (
        "Enchanted|Ashen|Silver|Thorn|Sleeping|Crystal|Wandering|Elder|Moonlit|Forsworn",
        "Crown|Grimoire|Griffin|Oath|Forest|Sorcerer|Blade|Labyrinth|Throne|Raven|Spell|Kingdom",
        "Aldermoor|the Seven Wells|Eirhaven|the Glass Sea|Thornwald|Ys|the Hollow Hills",
    ),
    "Horror": (
        "Crawling|Pale|Hungry|Restless|Buried|Whispering|Rotten|Nameless|Bleeding|Empty",
        "Cellar|Hollow|Crypt|Lullaby|Mirror|Scarecrow|Guest|Attic|Fog|Doll|Well|Visitor",
        "Blackwater|Ravensmoor|Room 9|Cabin Lake|Dunwich Road|Gallows Hill|Saint Agnes",
    ),
    "Documentary": (
        "Visible|Measured|Living|Common|Salt|Slow|Open|Deep|Electric|Vanishing",
        "Glacier|Orchestra|Reef|Newsroom|Archive|Harvest|Kitchen|Census|Railway|Choir|Desert|Workshop",
        "the Arctic|Detroit|Sápmi|the Mekong|Lagos|Svalbard|the Sahel|Rotterdam",
    ),
    "Western": (
        "Dusty|Lonesome|Iron|Crooked|Silver|Red|Broken|Hanging|Bitter|Nine-Mile",
        "Saddle|Canyon|Sheriff|Rider|Stagecoach|Saloon|Mesa|Outlaw|Trail|Spur|Prairie|Gunsmith",
        "Abilene|Dry Fork|Sonora|Coyote Wells|Redemption|Fort Mercy|El Paso|Laramie",
    ),
}
"""Adjectives, nouns and places of each genre; the order of the genres is that of the site."""

STORIES: Final[dict[str, tuple[str, str]]] = {
    "Sci-Fi": (
        "A cargo pilot|The last engineer of a failing station|A linguist|A retired android",
        "answers a call from a ship that was lost a century ago|wakes four years too early|"
        "finds a second sun in the telemetry|must choose who goes home",
    ),
    "Drama": (
        "A schoolteacher|Two estranged sisters|A widowed carpenter|A night nurse",
        "returns to the house by the harbour|keeps a promise made in another country|"
        "learns what the letters never said|spends one winter without an answer",
    ),
    "Comedy": (
        "A wedding planner who hates weddings|Three flatmates|A very minor duke|The worst band in town",
        "must host forty guests with one oven|inherits a hotel with no doors|"
        "is mistaken for somebody important|enters the wrong competition and wins",
    ),
    "Thriller": (
        "A court interpreter|A safety inspector|The only passenger who stayed awake|An insurance clerk",
        "hears a confession nobody else understands|has until morning to prove that a train existed|"
        "follows a number that keeps changing|opens the wrong locker",
    ),
    "Romance": (
        "A violin maker|A ferry captain|Two rival florists|A translator of love letters",
        "falls for the person who keeps missing the boat|writes back by mistake|"
        "has one summer and no plan|meets the same stranger in three cities",
    ),
    "Crime": (
        "A locksmith with a conscience|An honest bookkeeper|A tired inspector|The city's best driver",
        "takes one last job|counts the money twice|hides the evidence in plain sight|"
        "owes a favour to the wrong family",
    ),
    "Adventure": (
        "A mapmaker's apprentice|A stubborn botanist|The crew of a leaking airship|Two rival climbers",
        "sets out after a river that is on no chart|follows a compass that points home|"
        "races the monsoon to the summit|trades everything for a torn map",
    ),
    "Animation": (
        "A hedgehog with big plans|The smallest robot in the factory|A cloud who is afraid of heights|"
        "A teapot and her crew",
        "goes looking for the moon|builds a boat out of biscuits|learns to whistle|"
        "saves the town, mostly by accident",
    ),
    "Fantasy": (
        "A hedge witch|The youngest of seven heirs|A knight without an oath|A librarian of spells",
        "wakes something under the hill|must return a crown that nobody wants|"
        "bargains with the river|reads the one page that was sealed",
    ),
    "Horror": (
        "A house sitter|The new lighthouse keeper|A family of four|A sound engineer",
        "hears a fifth voice at dinner|finds the stairs one step longer every night|"
        "should not have opened the well|plays the tape backwards",
    ),
    "Documentary": (
        "A film crew|Four generations of one family|A patient camera|The people who stayed",
        "spends a year at the edge of the ice|shows how a city feeds itself|"
        "follows one song around the world|listens to those who keep things running",
    ),
    "Western": (
        "A gunsmith who never fires|A widow with a ranch to keep|The slowest sheriff in the territory|"
        "A mail rider",
        "waits for the noon train|crosses the salt flats with a prisoner|"
        "stakes all on a lame horse|comes back to settle what the town forgot",
    ),
}
"""Who, and what happens to them."""

UNUSUAL: Final[tuple[tuple[str, str], ...]] = (
    ('The "Quiet" Hour', "Drama"),
    ("Rosa & Ümit", "Romance"),
    ("Zero < One", "Sci-Fi"),
    ("L'Été à Port-Béluga", "Romance"),
    ("Señora Quijada's Last Train", "Drama"),
    ("Bread, Butter & Blackmail", "Crime"),
    ("Blåbær & Bjørn", "Animation"),
    ('Who\'s "Sheriff" Now?', "Western"),
    ("Naïve", "Comedy"),
    ("R&D", "Sci-Fi"),
    ("The Doll's <Other> House", "Horror"),
    ("Škoda, Škoda, Škoda!", "Comedy"),
)
"""Titles that a careless page would break on."""
