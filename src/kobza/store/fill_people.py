"""Invented people, firms and departments for `fill`, in Ukrainian."""

from random import Random

_WOMEN = ("Олена", "Наталія", "Ірина", "Оксана", "Юлія", "Тетяна", "Марія", "Софія", "Дарина", "Соломія", "Ганна")
_MEN = ("Олександр", "Андрій", "Тарас", "Богдан", "Дмитро", "Максим", "Остап", "Ярослав", "Ігор", "Лук'ян", "Юрій")
_SURNAMES = (
    ("Шевченко", "Шевченко"),
    ("Коваленко", "Коваленко"),
    ("Бондаренко", "Бондаренко"),
    ("Ткачук", "Ткачук"),
    ("Кравець", "Кравець"),
    ("Мельник", "Мельник"),
    ("Гнатюк", "Гнатюк"),
    ("Мар'яненко", "Мар'яненко"),
    ("Лисенко", "Лисенко"),
    ("Савицький", "Савицька"),
    ("Зелінський", "Зелінська"),
    ("Щербак", "Щербак"),
    ("Яковенко", "Яковенко"),
    ("Їжакевич", "Їжакевич"),
    ("Ґалаґан", "Ґалаґан"),
)
_FIRMS = ("Ромашка", "Світанок", "Дніпро-Буд", "Агро, Плюс", "Каштан", "Перше Таксі", "Меблі і К°", "Єва", "Новий Дім")
_FORMS = ("ТОВ «{}»", "ПП «{}»", 'ФОП "{}"', "{}")
DEPARTMENTS = ("Продажі", "Підтримка", "Бухгалтерія", "Логістика", "Керівництво")

MOBILE_CODES = ("50", "63", "66", "67", "68", "73", "93", "95", "96", "97", "98", "99")
CITY_CODES = ("44", "32", "48", "56", "57", "61")


def person(random: Random) -> str:
    """Return the name of a person: surname and first name."""
    woman = random.random() < 0.5
    return f"{random.choice(_SURNAMES)[woman]} {random.choice(_WOMEN if woman else _MEN)}"


def contact(random: Random) -> str:
    """Return the name of a person or of a firm, some with quotation marks and commas as people write them."""
    if random.random() < 0.7:
        return person(random)
    return random.choice(_FORMS).format(random.choice(_FIRMS))


def phone_number(random: Random) -> str:
    """Return a Ukrainian number in E.164, most of them mobile."""
    code = random.choice(MOBILE_CODES if random.random() < 0.85 else CITY_CODES)
    return f"+380{code}{random.randrange(10_000_000):07d}"
