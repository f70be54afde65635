"""The words of the manual's page in Ukrainian and English, and the Ukrainian of what the document says in English.

What has no translation here is shown in English: the document is the source, and grows with the code.
"""

from collections.abc import Mapping
from typing import Final

from kobza.api.languages import Language

TEXTS: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "title": "API manual",
        "contents": "Contents",
        "filter": "Filter",
        "guide": "From zero to your first call state",
        "parameters": "Parameters",
        "body": "JSON body",
        "answer": "Fields of the answer",
        "answers": "Answers",
        "errors": "Errors",
        "errors_lead": "Every error is application/problem+json. Programs go by its code, which does not change.",
        "request": "Request",
        "state": "What your system is sent",
        "required": "required",
        "wire": "operator's interface",
        "wire_short": "operator",
        "wire_title": "Works with the operator's service as well.",
        "copy": "Copy",
        "copied": "Copied",
        "yours": "Your values for the examples",
        "yours_note": "They stay in this page: nothing is sent or kept.",
        "fmcToken": "Authorization: Bearer <FMC token>, and ?integrator_id=<id>",
        "token": "?token=<FMC token>",
        "remoteToken": "Kobza sends Authorization: Bearer <the token you gave with the webhook>",
        "authorization": "Authorization",
        "scope": "Scope",
        "java_note": "OkHttp 3 or 4 (Debian: libokhttp-java, libokio-java).",
        "php-http_note": "pecl_http 4: the successor of the class HttpRequest, which ended with PHP 5.",
        "language": "Language",
        "intro": """\
The HTTP interface of Kobza, a self-hosted Virtual Mobile PBX. It is that of the operator's service: a client written
for it works after a change of its base URL. What works there as well is marked.

**Numbers** are accepted in any usual spelling (`0671234567`, `380671234567`, `+380 67 123-45-67`) and written as
national digits, foreign ones with `+`. **Times** without an offset are wall time in Europe/Kyiv. **Durations** are
whole seconds, rounded up.

**Parameters** that are not listed are ignored, and so are unknown fields of a JSON body; what is listed may be given
once. You find the token and the `integrator_id` in the portal under "CRM integration".""",
    },
    "uk": {
        "title": "Опис API",
        "contents": "Зміст",
        "filter": "Пошук",
        "guide": "Від нуля до першого стану дзвінка",
        "parameters": "Параметри",
        "body": "Тіло JSON",
        "answer": "Поля відповіді",
        "answers": "Відповіді",
        "errors": "Помилки",
        "errors_lead": "Кожна помилка має вигляд application/problem+json. Програми зважають на code: він незмінний.",
        "request": "Запит",
        "state": "Що отримує ваша система",
        "required": "обов'язковий",
        "wire": "інтерфейс оператора",
        "wire_short": "оператор",
        "wire_title": "Так само працює у сервісі оператора.",
        "copy": "Копіювати",
        "copied": "Скопійовано",
        "yours": "Ваші значення для прикладів",
        "yours_note": "Вони лишаються на цій сторінці: нічого не надсилається і не зберігається.",
        "fmcToken": "Authorization: Bearer <токен FMC> та ?integrator_id=<ідентифікатор>",
        "token": "?token=<токен FMC>",
        "remoteToken": "Kobza надсилає Authorization: Bearer <токен, який ви вказали для вебхука>",
        "authorization": "Авторизація",
        "scope": "Область дії",
        "java_note": "OkHttp 3 або 4 (Debian: libokhttp-java, libokio-java).",
        "php-http_note": "pecl_http 4: наступник класу HttpRequest, який лишився в PHP 5.",
        "language": "Мова",
        "intro": """\
HTTP-інтерфейс Kobza, віртуальної мобільної АТС на власному сервері. Він такий самий, як у сервісу оператора: клієнт,
написаний для нього, працює після зміни базової адреси. Те, що працює і там, позначено.

**Номери** приймаються у будь-якому звичному записі (`0671234567`, `380671234567`, `+380 67 123-45-67`), а у відповідях
мають національний вигляд; іноземні починаються з `+`. **Час** без зсуву є київським. **Тривалість** вимірюється цілими
секундами й округлюється вгору.

**Параметри**, яких немає в описі, ігноруються, як і невідомі поля тіла JSON; описані можна вказати один раз. Токен
та `integrator_id` є в порталі на сторінці «Інтеграція з CRM».""",
    },
}

_UKRAINIAN: Final[Mapping[str, tuple[str, ...]]] = {
    # Tags
    "Basic call information": (
        "Базова інформація про дзвінки",
        "Завершені дзвінки таблицею, для звітів. До неї входять усі номери з пакетом Convergent.",
    ),
    "History": ("Історія", "Кожен дзвінок з його наслідком і записом розмови."),
    "Calls": ("Дзвінки", "Click2dial і керування дзвінком, який триває."),
    "Settings of a number": (
        "Налаштування номера",
        "Що бачать і чують ті, хто дзвонить на номер і кому дзвонять з нього, і хто зараз на зв'язку.",
    ),
    "Webhook": ("Вебхук", "Куди ваша система отримує стани дзвінків і що сталося з кожним."),
    "Call states": ("Стани дзвінків", "Що Kobza надсилає вашій системі, коли дзвінок лунає, прийнятий, завершений."),
    "Older interface": ("Давніший інтерфейс", "Для клієнтів, написаних до появи FMC API."),
    # Operations: summary, description
    "callstat_csv_get": ("Завершені дзвінки у CSV",),
    "callstat_json_get": ("Завершені дзвінки у JSON",),
    "callstat_xml_get": ("Завершені дзвінки у XML",),
    "call_history": ("Перелік дзвінків",),
    "call_record_get": ("Отримати запис розмови",),
    "originate_call": ("Здійснити дзвінок",),
    "control_call": ("Керувати дзвінком, який триває",),
    "show_clip": ("Показати, який номер бачать інші",),
    "set_clip": ("Змінити, який номер бачать інші",),
    "show_dnd": ("Показати режим «Не турбувати»",),
    "switch_dnd": ("Перемкнути режим «Не турбувати»",),
    "show_forwarding": ("Показати переадресацію",),
    "set_forwarding": ("Встановити переадресацію",),
    "show_phones": ("Показати, хто зараз на зв'язку",),
    "show_webhook": ("Показати вебхук",),
    "set_webhook": ("Встановити вебхук",),
    "remove_webhook": ("Вилучити вебхук",),
    "list_deliveries": ("Перелік надсилань",),
    "replay_delivery": ("Надіслати ще раз",),
    "recover_deliveries": ("Надіслати ще раз усе, що не вдалося",),
    "test_webhook": ("Випробувати вебхук",),
    "fetch_events": ("Отримати стани дзвінків",),
    "older_originate_get": ("Здійснити дзвінок (давніший інтерфейс)",),
    "older_originate_post": ("Здійснити дзвінок (давніший інтерфейс)",),
    "callstate": ("Прийняти стан дзвінка",),
}


def translated(language: Language, key: str, *english: str) -> tuple[str, ...]:
    """Return texts in the language of the page: those of a tag or an operation, as many of them as are translated."""
    known = _UKRAINIAN.get(key, ()) if language == "uk" else ()
    return (*known, *english[len(known) :])
