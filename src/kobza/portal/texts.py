"""What the portal says, in English and Ukrainian. A test sees to it that templates use these and no others."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from kobza.api.languages import Language

TEXTS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "overview": ("Overview", "Огляд"),
        "crm": ("CRM integration", "Інтеграція з CRM"),
        "provisioning": ("Extended services", "Розширені послуги"),
        "manual": ("API manual", "Опис API"),
        "sign_in": ("Sign in", "Увійти"),
        "sign_in_lead": ("Virtual Mobile PBX", "Віртуальна мобільна АТС"),
        "sign_out": ("Sign out", "Вийти"),
        "login": ("Login", "Логін"),
        "password": ("Password", "Пароль"),
        "wrong_password": ("The login or the password is wrong.", "Неправильний логін або пароль."),
        "too_many_guesses": (
            "Too many attempts. Try again in a few minutes.",
            "Забагато спроб. Спробуйте за кілька хвилин.",
        ),
        "language": ("Language", "Мова"),
        "numbers": ("Numbers", "Номери"),
        "no_numbers": (
            "There are no numbers yet. Add one with kobza number add.",
            "Номерів ще немає. Додайте номер командою kobza number add.",
        ),
        "number": ("Number", "Номер"),
        "department": ("Department", "Відділ"),
        "packages": ("Packages", "Пакети"),
        "devices": ("Devices", "Пристрої"),
        "status": ("Status", "Стан"),
        "available": ("available", "доступний"),
        "busy": ("in a call", "розмовляє"),
        "unavailable": ("offline", "не в мережі"),
        "dnd": ("Do Not Disturb", "Не турбувати"),
        "dnd_on": ("on", "увімкнено"),
        "dnd_off": ("off", "вимкнено"),
        "switch_on": ("Switch on", "Увімкнути"),
        "switch_off": ("Switch off", "Вимкнути"),
        "until": ("until", "до"),
        "convergent": ("Convergent", "Конвергент"),
        "api_fmc": ("API FMC", "API FMC"),
        "call_recording": ("Recording", "Запис розмов"),
        "live": ("Live calls", "Поточні виклики"),
        "no_live": ("Nobody is talking right now.", "Зараз ніхто не розмовляє."),
        "hang_up": ("Hang up", "Завершити"),
        "alerting": ("ringing", "дзвонить"),
        "established": ("talking", "розмова"),
        "held": ("on hold", "утримання"),
        "finished": ("finished", "завершено"),
        "last_calls": ("Last calls", "Останні виклики"),
        "no_calls": ("No calls in the last 7 days.", "За останні 7 днів викликів не було."),
        "from": ("From", "Хто"),
        "to": ("To", "Кому"),
        "begun": ("Begun", "Початок"),
        "talk": ("Talk", "Розмова"),
        "rang": ("Ringing", "Дзвінок"),
        "outcome": ("Outcome", "Результат"),
        "recording": ("Recording", "Запис"),
        "incoming": ("incoming", "вхідний"),
        "outgoing": ("outgoing", "вихідний"),
        "local": ("internal", "внутрішній"),
        "not_answered": ("not answered", "без відповіді"),
        "seconds": ("s", "с"),
        "minutes": ("min", "хв"),
        "hours": ("h", "год"),
        "times_are_kyiv": ("Times are those of Kyiv.", "Час київський."),
        "credentials": ("Access for your CRM", "Доступ для вашої CRM"),
        "credentials_lead": (
            "Your CRM sends both with each request to this address.",
            "Ваша CRM надсилає обидва значення з кожним запитом на цю адресу.",
        ),
        "api_address": ("API address", "Адреса API"),
        "integrator_id": ("Integrator id", "Ідентифікатор інтегратора"),
        "fmc_token": ("FMC token", "Токен FMC"),
        "token_hidden": (
            "Stored as a fingerprint only, so it cannot be shown again.",
            "Зберігається лише відбиток, тому показати його ще раз не можна.",
        ),
        "new_token": ("Make a new token", "Створити новий токен"),
        "new_token_lead": (
            "The old token keeps working for the time you choose.",
            "Старий токен діятиме ще стільки, скільки ви оберете.",
        ),
        "old_token_ends": ("The old token ends", "Старий токен діє"),
        "ends_now": ("at once", "завершується одразу"),
        "ends_hour": ("in an hour", "ще годину"),
        "ends_day": ("in a day", "ще добу"),
        "ends_week": ("in a week", "ще тиждень"),
        "token_made": (
            "This is your new token. Copy it now: it is shown only once.",
            "Це ваш новий токен. Скопіюйте його зараз: його показано лише один раз.",
        ),
        "copy": ("Copy", "Копіювати"),
        "copied": ("Copied", "Скопійовано"),
        "remote_system": ("Remote system", "Віддалена система"),
        "remote_lead": (
            "Where Kobza posts the state of each call: this URL followed by /callstate.",
            "Куди Kobza надсилає стан кожного виклику: на цей URL із /callstate у кінці.",
        ),
        "url": ("URL", "URL"),
        "remote_token": ("Token", "Токен"),
        "remote_token_hint": ("Sent as Authorization: Bearer.", "Надсилається як Authorization: Bearer."),
        "keep_hint": ("Leave empty to keep the one in force.", "Залиште порожнім, щоб не змінювати."),
        "secret": ("Signing secret", "Секрет підпису"),
        "secret_hint": (
            "Optional: whsec_…, then each state is signed (Standard Webhooks).",
            "Необов'язково: whsec_…, тоді кожен стан підписується (Standard Webhooks).",
        ),
        "extended": ("Also send held, resumed and record_ready", "Надсилати також held, resumed і record_ready"),
        "save": ("Save", "Зберегти"),
        "remove": ("Remove", "Видалити"),
        "saved": ("Saved.", "Збережено."),
        "active": ("active", "активний"),
        "inactive": ("switched off", "вимкнений"),
        "not_set": ("not set", "не налаштовано"),
        "deliveries": ("Deliveries", "Доставлення"),
        "no_deliveries": ("Nothing has been sent yet.", "Ще нічого не надсилали."),
        "event": ("Event", "Подія"),
        "attempts": ("Attempts", "Спроби"),
        "answer": ("Answer", "Відповідь"),
        "pending": ("pending", "очікує"),
        "delivered": ("delivered", "доставлено"),
        "failed": ("failed", "не вдалося"),
        "provisioning_lead": (
            "Your numbers with their packages. Packages are changed by the administrator of the installation.",
            "Ваші номери та їхні пакети. Пакети змінює адміністратор системи.",
        ),
        "error_title": ("That did not work", "Не вийшло"),
        "error_back": ("Back to the overview", "До огляду"),
        "error_stale": (
            "The form is out of date. Go back, reload the page and try again.",
            "Форма застаріла. Поверніться, оновіть сторінку та спробуйте ще раз.",
        ),
        "no_enterprise": (
            "This login belongs to no enterprise, and the portal is for enterprises so far.",
            "Цей логін не належить жодному підприємству, а портал поки лише для них.",
        ),
    }
)

Say = Callable[[str], str]


def say_in(language: Language) -> Say:
    """Return the function that templates call for a text. Raises KeyError for one that does not exist."""
    place = 1 if language == "uk" else 0
    return lambda key: TEXTS[key][place]
