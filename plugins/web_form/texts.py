"""What the hosted and the embedded form say, in Ukrainian and English.

These are read by customers on other people's sites, in the language of the form and not of the workspace; so they
live with the plugin and not in the hub's catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LABELS: Final[Mapping[str, Mapping[str, str]]] = {
    "uk": {
        "name": "Ваше ім’я",
        "phone": "Телефон",
        "email": "Електронна пошта",
        "organisation": "Компанія",
        "when": "Коли вам зручно",
        "files": "Файли",
    },
    "en": {
        "name": "Your name",
        "phone": "Telephone",
        "email": "E-mail",
        "organisation": "Company",
        "when": "When it suits you",
        "files": "Files",
    },
}
PAGE: Final[Mapping[str, Mapping[str, str]]] = {
    "uk": {
        "optional": "(необов’язково)",
        "send": "Надіслати",
        "honeypot": "Залиште це поле порожнім",
        "thanks": "Дякуємо!",
        "again": "Надіслати ще одне",
        "language": "Мова",
        "files_hint": "До {count} файлів, кожен до {size} МБ",
        "files_again": "Файли виберіть ще раз.",
    },
    "en": {
        "optional": "(optional)",
        "send": "Send",
        "honeypot": "Leave this field empty",
        "thanks": "Thank you!",
        "again": "Send another one",
        "language": "Language",
        "files_hint": "Up to {count} files of {size} MB each",
        "files_again": "Choose the files again.",
    },
}
REFUSED: Final[Mapping[str, Mapping[str, str]]] = {
    "uk": {
        "nonce": "Сторінка була відкрита надто довго. Натисніть «Надіслати» ще раз: написане збережено.",
        "contact": "Напишіть ваше ім’я та телефон або пошту, щоб ми могли відповісти.",
        "files": "Забагато файлів: приберіть зайві.",
        "file_too_large": "Файл завеликий. Зменште його або надішліть посилання на нього.",
        "file_type": "Такий файл ми не приймаємо. Надішліть фото, документ або текст.",
        "too_large": "Форма з файлами завелика. Надішліть менше файлів.",
        "captcha": "Перевірку на робота не пройдено. Спробуйте ще раз.",
        "rate": "Забагато спроб поспіль. Зачекайте хвилину і спробуйте ще раз.",
        "": "Не вдалося надіслати. Спробуйте ще раз.",
    },
    "en": {
        "nonce": "This page was open for too long. Press Send once more: what you wrote is kept.",
        "contact": "Give your name and a telephone number or an e-mail address, so that we can answer.",
        "files": "There are too many files: take some away.",
        "file_too_large": "A file is too large. Make it smaller, or send a link to it.",
        "file_type": "We do not take this kind of file. Send a picture, a document or a text.",
        "too_large": "The form with its files is too large. Send fewer files.",
        "captcha": "The check for robots was not passed. Try again.",
        "rate": "Too many tries in a row. Wait a minute, then try again.",
        "": "It could not be sent. Try again.",
    },
}
SCRIPT: Final[Mapping[str, Mapping[str, str]]] = {
    "uk": {
        "fill": "Заповніть це поле",
        "phone": "Перевірте номер телефону",
        "email": "Перевірте адресу пошти",
        "sending": "Надсилаємо…",
        "kept": "Немає зв’язку. Ми зберегли ваше повідомлення і надішлемо його самі, щойно зв’язок з’явиться.",
        "late": "Ваше попереднє повідомлення надіслано.",
        "page": "Відкрити форму на окремій сторінці",
    },
    "en": {
        "fill": "Fill in this field",
        "phone": "Check the telephone number",
        "email": "Check the e-mail address",
        "sending": "Sending…",
        "kept": "There is no connection. Your message is kept and will be sent as soon as there is one.",
        "late": "Your earlier message has been sent.",
        "page": "Open the form on a page of its own",
    },
}
