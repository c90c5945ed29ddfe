"""Russian regions a called number may belong to (crm-api §12).

The ids are this project's own; `2` and `43` are those the original interface documents. Which
region a number belongs to is asked of the numbering-plan library: the words beside each name
are how the library's geographic data (Russian) calls the region. A test holds that every +7
area of the library has its region here.
"""

from __future__ import annotations

from dataclasses import dataclass

_TABLE: dict[str, tuple[str, tuple[str, ...]]] = {
    "1": ("Adygea Republic", ("Республика Адыгея",)),
    "2": ("Altai Republic", ("Республика Алтай",)),
    "3": ("Altai Territory", ("Алтайский край",)),
    "4": ("Amur region", ("Амурская обл.",)),
    "5": ("Arkhangelsk region", ("Архангельская обл.",)),
    "6": ("Astrakhan region", ("Астраханская обл.",)),
    "7": ("Bashkortostan Republic", ("Республика Башкортостан",)),
    "8": ("Belgorod region", ("Белгородская обл.",)),
    "9": ("Bryansk region", ("Брянская обл.",)),
    "10": ("Buryatia Republic", ("Республика Бурятия",)),
    "11": ("Chechen Republic", ("Республика Чеченская",)),
    "12": ("Chelyabinsk region", ("Челябинская обл.",)),
    "13": ("Chukotka Autonomous District", ("Чукотский АО",)),
    "14": ("Chuvash Republic", ("Чувашская Республика - Чувашия",)),
    "15": ("Dagestan Republic", ("Республика Дагестан",)),
    "16": ("Ingushetia Republic", ("Республика Ингушетия",)),
    "17": ("Irkutsk region", ("Иркутская обл.",)),
    "18": ("Ivanovo region", ("Ивановская обл.",)),
    "19": ("Jewish Autonomous Region", ("Еврейская автономная обл.",)),
    "20": ("Kabardino-Balkarian Republic", ("Республика Кабардино-Балкарская",)),
    "21": ("Kaliningrad region", ("Калининградская обл.",)),
    "22": ("Kalmykia Republic", ("Республика Калмыкия",)),
    "23": ("Kaluga region", ("Калужская обл.",)),
    "24": ("Kamchatka Territory", ("Камчатский край",)),
    "25": ("Karachay-Cherkess Republic", ("Республика Карачаево-Черкесская",)),
    "26": ("Karelia Republic", ("Республика Карелия",)),
    "27": ("Kemerovo region", ("Кемеровская обл.",)),
    "28": ("Khabarovsk Territory", ("Хабаровский край",)),
    "29": ("Khakassia Republic", ("Республика Хакасия",)),
    "30": ("Khanty-Mansi Autonomous District", ("Ханты - Мансийский - Югра АО",)),
    "31": ("Kirov region", ("Кировская обл.",)),
    "32": ("Komi Republic", ("Республика Коми",)),
    "33": ("Kostroma region", ("Костромская обл.",)),
    "34": ("Krasnodar Territory", ("Краснодарский край",)),
    "35": ("Krasnoyarsk Territory", ("Красноярский край",)),
    "36": ("Kurgan region", ("Курганская обл.",)),
    "37": ("Kursk region", ("Курская обл.",)),
    "38": ("Lipetsk region", ("Липецкая обл.",)),
    "39": ("Magadan region", ("Магаданская обл.",)),
    "40": ("Mari El Republic", ("Республика Марий Эл",)),
    "41": ("Mordovia Republic", ("Республика Мордовия",)),
    "42": ("Murmansk region", ("Мурманская обл.",)),
    "43": (
        "Moscow and Moscow region",
        (
            "г. Москва",
            "Московская обл.",
        ),
    ),
    "44": ("Nizhny Novgorod region", ("Нижегородская обл.",)),
    "45": ("North Ossetia Republic", ("Республика Северная Осетия - Алания",)),
    "46": ("Novgorod region", ("Новгородская обл.",)),
    "47": ("Novosibirsk region", ("Новосибирская обл.",)),
    "48": ("Omsk region", ("Омская обл.",)),
    "49": ("Orel region", ("Орловская обл.",)),
    "50": ("Orenburg region", ("Оренбургская обл.",)),
    "51": ("Penza region", ("Пензенская обл.",)),
    "52": ("Perm Territory", ("Пермский край",)),
    "53": ("Primorye Territory", ("Приморский край",)),
    "54": ("Pskov region", ("Псковская обл.",)),
    "55": ("Rostov region", ("Ростовская обл.",)),
    "56": ("Ryazan region", ("Рязанская обл.",)),
    "57": (
        "Saint Petersburg and Leningrad region",
        (
            "г. Санкт-Петербург",
            "Ленинградская обл.",
        ),
    ),
    "58": ("Sakha Republic (Yakutia)", ("Республика Саха /Якутия/",)),
    "59": ("Sakhalin region", ("Сахалинская обл.",)),
    "60": ("Samara region", ("Самарская обл.",)),
    "61": ("Saratov region", ("Саратовская обл.",)),
    "62": ("Smolensk region", ("Смоленская обл.",)),
    "63": ("Stavropol Territory", ("Ставропольский край",)),
    "64": ("Sverdlovsk region", ("Свердловская обл",)),
    "65": ("Tambov region", ("Тамбовская обл.",)),
    "66": ("Tatarstan Republic", ("Республика Татарстан",)),
    "67": ("Tomsk region", ("Томская обл.",)),
    "68": ("Tula region", ("Тульская обл.",)),
    "69": ("Tuva Republic", ("Республика Тыва",)),
    "70": ("Tver region", ("Тверская обл.",)),
    "71": ("Tyumen region", ("Тюменская обл.",)),
    "72": ("Udmurt Republic", ("Республика Удмуртская",)),
    "73": ("Ulyanovsk region", ("Ульяновская обл.",)),
    "74": ("Vladimir region", ("Владимирская обл.",)),
    "75": ("Volgograd region", ("Волгоградская обл.",)),
    "76": ("Vologda region", ("Вологодская обл.",)),
    "77": ("Voronezh region", ("Воронежская обл.",)),
    "78": ("Yamalo-Nenets Autonomous District", ("Ямало-Ненецкий АО",)),
    "79": ("Yaroslavl region", ("Ярославская обл.",)),
    "80": ("Zabaykalsky Territory", ("Забайкальский край",)),
    "81": ("Crimea", ("Республика Крым",)),
    "82": ("Sevastopol", ("г. Севастополь",)),
    "83": ("Donetsk", ("Донецкая Народная Республика",)),
    "84": ("Luhansk", ("Луга́нская Наро́дная Респу́блика",)),
    "85": ("Kherson", ("Херсонская область",)),
    "86": ("Baikonur", ("Байконыр",)),
}


@dataclass(frozen=True, slots=True)
class Region:
    """A region: id and English name."""

    id: str
    name: str


REGIONS: dict[str, Region] = {key: Region(key, name) for key, (name, _) in _TABLE.items()}
"""id → region, in the order of ids."""

BY_LIBRARY_NAME: dict[str, Region] = {
    word: REGIONS[key] for key, (_, words) in _TABLE.items() for word in words
}
"""The library's Russian name → region."""
