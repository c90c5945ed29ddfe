"""What the built-in prompts say: one table, from which `make_sounds.py` makes sounds and docs.

A name is what `vpbx media add --type prompt --name NAME` replaces. Every prompt exists in both
languages. Words are parts of phrases (numbers, and what is counted): which of them a language
has, and in which order they are said, is its grammar (`vpbx.media.phrases`).
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PROMPTS", "WORDS", "Prompt"]


class Prompt(NamedTuple):
    """A prompt and who hears it when."""

    heard: str
    en: str
    ru: str


PROMPTS: dict[str, Prompt] = {
    "greeting": Prompt(
        "by a caller, before anybody is rung, where a number has its built-in greeting on",
        "Hello! Thank you for calling. Please stay on the line.",
        "Здравствуйте! Спасибо за звонок. Оставайтесь, пожалуйста, на линии.",
    ),
    "closed": Prompt(
        "by a caller outside business hours, where the route is a message",
        "Hello! Our office is closed now. Please call again during business hours.",
        "Здравствуйте! Сейчас мы не работаем. Пожалуйста, перезвоните в рабочее время.",
    ),
    "menu": Prompt(
        "in a menu that has no prompt of its own",
        "Please dial the internal number, or choose an item of the menu.",
        "Наберите внутренний номер или выберите пункт меню.",
    ),
    "menu-wrong-button": Prompt(
        "in a menu, after a button that is not in it",
        "There is no such item.",
        "Такого пункта нет.",
    ),
    "no-such-ext": Prompt(
        "in a menu, after an internal number nobody has",
        "There is no such internal number.",
        "Такого внутреннего номера нет.",
    ),
    "please-wait": Prompt(
        "in a queue, before the first place or offer to call back",
        "All our employees are busy now. Please stay on the line.",
        "Все сотрудники сейчас заняты. Пожалуйста, оставайтесь на линии.",
    ),
    "queue-position": Prompt(
        "in a queue every 30 seconds; the place follows",
        "Your place in the queue is",
        "Ваш номер в очереди:",
    ),
    "queue-wait": Prompt(
        "in a queue, after the place, where an estimate can be made; the minutes follow",
        "The waiting time is about",
        "Время ожидания, примерно,",
    ),
    "call-later": Prompt(
        "by a caller whom nobody can take (`msg_busy`); the call ends",
        "All our employees are busy now. Please call again later.",
        "Все сотрудники сейчас заняты. Пожалуйста, перезвоните позже.",
    ),
    "callback-offer": Prompt(
        "in a queue that offers to call back",
        "If you do not want to wait, press one, and we will call you back.",
        "Если вы не хотите ждать, нажмите один, и мы вам перезвоним.",
    ),
    "callback-confirmed": Prompt(
        "after pressing 1; the call ends",
        "Thank you. We will call you back as soon as somebody is free. Goodbye!",
        "Спасибо. Мы перезвоним вам, как только освободится сотрудник. До свидания!",
    ),
    "callback-connecting": Prompt(
        "by the employee who takes a call back, while the customer is rung",
        "A customer has asked to be called back. Connecting.",
        "Клиент просил перезвонить. Соединяем.",
    ),
    "not-available": Prompt(
        "by a caller, when whom they called does not answer",
        "The person you are calling is not available. Please call again later.",
        "Абонент сейчас недоступен. Пожалуйста, перезвоните позже.",
    ),
    "not-allowed": Prompt(
        "by an employee who called a direction closed to them",
        "You are not allowed to call this number.",
        "Звонки на этот номер вам запрещены.",
    ),
    "not-found": Prompt(
        "by who called a number that does not exist",
        "This number does not exist. Please check it and call again.",
        "Набранный номер не существует. Проверьте номер и перезвоните.",
    ),
    "voicemail-greeting": Prompt(
        "by a caller who may leave a message; the tone `beep` follows",
        "Nobody can take your call now. Please leave a message after the tone.",
        "Сейчас никто не может ответить. Оставьте сообщение после сигнала.",
    ),
    "voicemail-saved": Prompt(
        "after a message that was ended with #",
        "Your message has been saved. Goodbye!",
        "Ваше сообщение сохранено. До свидания!",
    ),
    "voicemail-you-have": Prompt(
        "in one's own voicemail (`*97`); the number of messages follows",
        "You have",
        "У вас",
    ),
    "voicemail-none": Prompt(
        "in one's own voicemail, when it is empty",
        "You have no messages.",
        "У вас нет сообщений.",
    ),
    "voicemail-new": Prompt(
        "in one's own voicemail, before a message not heard yet",
        "New message.",
        "Новое сообщение.",
    ),
    "voicemail-from": Prompt(
        "in one's own voicemail; the caller's number follows, digit by digit",
        "Message from number",
        "Сообщение от абонента",
    ),
    "voicemail-hidden": Prompt(
        "in one's own voicemail, when the caller hid the number",
        "Message from a hidden number.",
        "Сообщение со скрытого номера.",
    ),
    "voicemail-options": Prompt(
        "in one's own voicemail, after a message",
        "To hear it again, press one. For the next message, press two. "
        "To delete it, press three. To end, press pound.",
        "Прослушать ещё раз: нажмите один. Следующее сообщение: два. "
        "Удалить: три. Закончить: решётка.",
    ),
    "voicemail-deleted": Prompt(
        "in one's own voicemail, after deleting",
        "The message has been deleted.",
        "Сообщение удалено.",
    ),
    "voicemail-end": Prompt(
        "in one's own voicemail, after the last message",
        "There are no more messages. Goodbye!",
        "Сообщений больше нет. До свидания!",
    ),
    "dnd-on": Prompt(
        "after `*78`",
        "Do not disturb is on. You will receive no calls.",
        "Режим «не беспокоить» включён. Звонки к вам не поступают.",
    ),
    "dnd-off": Prompt(
        "after `*79`",
        "Do not disturb is off. You receive calls again.",
        "Режим «не беспокоить» выключен. Вы снова принимаете звонки.",
    ),
    "echo-test": Prompt(
        "at `*43`",
        "Echo test. Speak, and you will hear yourself.",
        "Проверка звука. Говорите, и вы услышите себя.",
    ),
    "rating-question": Prompt(
        "by a customer, after the employee hung up, where rating is on for the number",
        "Please rate the conversation: press a key from one, very bad, to five, excellent.",
        "Оцените, пожалуйста, разговор: нажмите клавишу от одного, очень плохо, до пяти, отлично.",
    ),
    "rating-thanks": Prompt(
        "after the customer rated",
        "Thank you for your rating. Goodbye!",
        "Спасибо за оценку. До свидания!",
    ),
    "transfer-dial": Prompt(
        "by an employee after `*2`, while the other side hears music",
        "Dial the number.",
        "Наберите номер.",
    ),
    "transfer-wait": Prompt(
        "by a caller who is passed on",
        "Please wait, your call is being transferred.",
        "Пожалуйста, подождите, вас переводят.",
    ),
    "transfer-failed": Prompt(
        "by an employee whose transfer found nobody",
        "The transfer has failed.",
        "Перевести звонок не удалось.",
    ),
    "park-slot": Prompt(
        "by an employee after `*5`; the place to dial follows",
        "The call is parked. To take it back, dial",
        "Звонок припаркован. Чтобы забрать его, наберите",
    ),
    "park-empty": Prompt(
        "by an employee who dials a parking place where nobody waits",
        "There is no call at this place.",
        "На этом месте нет звонка.",
    ),
    "pickup-none": Prompt(
        "after `*8`, when nothing rings",
        "There is no call to pick up.",
        "Нет звонка, который можно перехватить.",
    ),
    "fault": Prompt(
        "when something of ours fails in a call that was answered",
        "A technical fault has occurred. Please call again later.",
        "Произошла техническая ошибка. Пожалуйста, перезвоните позже.",
    ),
    "goodbye": Prompt(
        "before a call that was answered is ended by us",
        "Goodbye!",
        "До свидания!",
    ),
}


def _words(text: str) -> list[str]:
    return text.split()


_EN_ONES = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen "
    "fourteen fifteen sixteen seventeen eighteen nineteen"
)
_RU_ONES = _words(
    "ноль один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать "
    "тринадцать четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать"
)
_EN_TENS = _words("twenty thirty forty fifty sixty seventy eighty ninety")
_RU_TENS = _words("двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто")
_RU_HUNDREDS = _words("сто двести триста четыреста пятьсот шестьсот семьсот восемьсот девятьсот")

WORDS: dict[str, dict[str, str]] = {
    "en": {
        **{f"number-{n}": word for n, word in enumerate(_EN_ONES)},
        **{f"number-{10 * n}": word for n, word in enumerate(_EN_TENS, 2)},
        "number-100": "hundred",
        "number-1000": "thousand",
        "minute-one": "minute",
        "minute-many": "minutes",
        "message-new-one": "new message",
        "message-new-many": "new messages",
        "message-old-one": "saved message",
        "message-old-many": "saved messages",
        "and": "and",
        "plus": "plus",
        "star": "star",
        "pound": "pound",
    },
    "ru": {
        **{f"number-{n}": word for n, word in enumerate(_RU_ONES)},
        **{f"number-{10 * n}": word for n, word in enumerate(_RU_TENS, 2)},
        **{f"number-{100 * n}": word for n, word in enumerate(_RU_HUNDREDS, 1)},
        "number-1-feminine": "одна",
        "number-2-feminine": "две",
        "number-1-neuter": "одно",
        "number-1000-one": "тысяча",
        "number-1000-few": "тысячи",
        "number-1000-many": "тысяч",
        "minute-one": "минута",
        "minute-few": "минуты",
        "minute-many": "минут",
        "message-new-one": "новое сообщение",
        "message-new-few": "новых сообщения",
        "message-new-many": "новых сообщений",
        "message-old-one": "сохранённое сообщение",
        "message-old-few": "сохранённых сообщения",
        "message-old-many": "сохранённых сообщений",
        "and": "и",
        "plus": "плюс",
        "star": "звёздочка",
        "pound": "решётка",
    },
}
