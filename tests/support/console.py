"""The console as a browser reaches it, where no page is needed."""

from __future__ import annotations

import http.client
from urllib.parse import urlencode


def log_in(place: str, company: str, login: str, password: str) -> str:
    """Log in at HOST:PORT; return the cookies, as a browser sends them."""
    connection = http.client.HTTPConnection(place, timeout=120)
    form = urlencode({"login": login, "password": password})
    headers = {"Host": company, "Origin": f"http://{company}"}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection.request("POST", "/login", form, headers)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 303, answer.status
    cookies = [each.partition(";")[0] for each in answer.headers.get_all("Set-Cookie") or ()]
    connection.close()
    return "; ".join(cookies)
