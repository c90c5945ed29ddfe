"""Russian regions a called number may belong to (crm-api §12).

The ids are this project's own; `2` and `43` are those the original interface documents. Beside
each name stand its area codes, without the 7. A test holds that every area code of the
numbering-plan library has the region here that it has there; the library's own table is of the
whole world, which costs a server 100 MB and half a second.
"""

from __future__ import annotations

from dataclasses import dataclass

_TABLE: dict[str, tuple[str, str]] = {
    "1": ("Adygea Republic", "877"),
    "2": ("Altai Republic", "388"),
    "3": ("Altai Territory", "385"),
    "4": ("Amur region", "416"),
    "5": ("Arkhangelsk region", "818"),
    "6": ("Astrakhan region", "851"),
    "7": ("Bashkortostan Republic", "347"),
    "8": ("Belgorod region", "472"),
    "9": ("Bryansk region", "483"),
    "10": ("Buryatia Republic", "301"),
    "11": ("Chechen Republic", "871"),
    "12": ("Chelyabinsk region", "351"),
    "13": ("Chukotka Autonomous District", "427"),
    "14": ("Chuvash Republic", "835"),
    "15": ("Dagestan Republic", "872"),
    "16": ("Ingushetia Republic", "873"),
    "17": ("Irkutsk region", "395"),
    "18": ("Ivanovo region", "493"),
    "19": ("Jewish Autonomous Region", "426"),
    "20": ("Kabardino-Balkarian Republic", "866"),
    "21": ("Kaliningrad region", "40"),
    "22": ("Kalmykia Republic", "847"),
    "23": ("Kaluga region", "484"),
    "24": ("Kamchatka Territory", "415"),
    "25": ("Karachay-Cherkess Republic", "878"),
    "26": ("Karelia Republic", "814"),
    "27": ("Kemerovo region", "384"),
    "28": ("Khabarovsk Territory", "421"),
    "29": ("Khakassia Republic", "390"),
    "30": ("Khanty-Mansi Autonomous District", "346"),
    "31": ("Kirov region", "833"),
    "32": ("Komi Republic", "821"),
    "33": ("Kostroma region", "494"),
    "34": ("Krasnodar Territory", "861 862"),
    "35": ("Krasnoyarsk Territory", "391"),
    "36": ("Kurgan region", "352"),
    "37": ("Kursk region", "471"),
    "38": ("Lipetsk region", "474"),
    "39": ("Magadan region", "413"),
    "40": ("Mari El Republic", "836"),
    "41": ("Mordovia Republic", "834"),
    "42": ("Murmansk region", "815"),
    "43": ("Moscow and Moscow region", "495 496 498 499"),
    "44": ("Nizhny Novgorod region", "831"),
    "45": ("North Ossetia Republic", "867"),
    "46": ("Novgorod region", "816"),
    "47": ("Novosibirsk region", "383"),
    "48": ("Omsk region", "381"),
    "49": ("Orel region", "486"),
    "50": ("Orenburg region", "353"),
    "51": ("Penza region", "841"),
    "52": ("Perm Territory", "342"),
    "53": ("Primorye Territory", "423"),
    "54": ("Pskov region", "811"),
    "55": ("Rostov region", "863"),
    "56": ("Ryazan region", "491"),
    "57": ("Saint Petersburg and Leningrad region", "812 813"),
    "58": ("Sakha Republic (Yakutia)", "411"),
    "59": ("Sakhalin region", "424"),
    "60": ("Samara region", "846 848"),
    "61": ("Saratov region", "845"),
    "62": ("Smolensk region", "481"),
    "63": ("Stavropol Territory", "865 879"),
    "64": ("Sverdlovsk region", "343"),
    "65": ("Tambov region", "475"),
    "66": ("Tatarstan Republic", "843 855"),
    "67": ("Tomsk region", "382"),
    "68": ("Tula region", "487"),
    "69": ("Tuva Republic", "394"),
    "70": ("Tver region", "482"),
    "71": ("Tyumen region", "345"),
    "72": ("Udmurt Republic", "341"),
    "73": ("Ulyanovsk region", "842"),
    "74": ("Vladimir region", "492"),
    "75": ("Volgograd region", "844"),
    "76": ("Vologda region", "817 820"),
    "77": ("Voronezh region", "473"),
    "78": ("Yamalo-Nenets Autonomous District", "349"),
    "79": ("Yaroslavl region", "485"),
    "80": ("Zabaykalsky Territory", "302"),
    "81": ("Crimea", "36"),
    "82": ("Sevastopol", "869"),
    "83": ("Donetsk", "856"),
    "84": ("Luhansk", "857"),
    "85": ("Kherson", "860"),
    "86": ("Baikonur", "33"),
}


@dataclass(frozen=True, slots=True)
class Region:
    """A region: id and English name."""

    id: str
    name: str


REGIONS: dict[str, Region] = {key: Region(key, name) for key, (name, _) in _TABLE.items()}
"""id → region, in the order of ids."""

BY_AREA: dict[str, Region] = {
    "7" + code: REGIONS[key] for key, (_, codes) in _TABLE.items() for code in codes.split()
}
"""First digits of a number, country code included → region; the longest that fits is right."""
