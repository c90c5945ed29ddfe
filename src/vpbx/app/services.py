"""What the API and the console are given of a server, and the one application made of both."""

from __future__ import annotations

from typing import Any

from vpbx.accounts import Accounts, Audit
from vpbx.api import ApiConfig, ApiServices, create_app
from vpbx.app.ground import Ground
from vpbx.app.http import with_metrics
from vpbx.app.recorders import Recorders
from vpbx.app.telephony import Telephony
from vpbx.app.uploads import Uploads
from vpbx.app.web_sip import with_sip
from vpbx.console import (
    PAGES,
    Asks,
    ConsoleServices,
    Provisioning,
    create_console,
    with_console,
)
from vpbx.crm import IntegrationLog
from vpbx.history import Browser, Notes

__all__ = ["make_site"]


def make_site(
    ground: Ground, told: Recorders, telephony: Telephony, accounts: Accounts, audit: Audit
) -> Any:
    """Return the ASGI application of all HTTP ports: API, console, metrics, SIP over WebSocket."""
    console = create_console(_console(ground, told, telephony, accounts, audit), PAGES)
    site = with_console(create_app(_api(ground, told, telephony, audit)), console, PAGES)
    return with_sip(with_metrics(site, ground.registry), lambda: telephony.stack)


def _api(ground: Ground, told: Recorders, telephony: Telephony, audit: Audit) -> ApiServices:
    config = ground.config
    return ApiServices(
        directory=ground.directory,
        history=told.history,
        calls=telephony.calls,
        clock=ground.clock,
        commands=IntegrationLog(told.outbox),
        branches=telephony.branches,
        changes=audit,
        config=ApiConfig(
            trusted_proxies=config.trusted_proxies,
            https_port=config.https.port if config.https else 0,
            makecalls_per_second=config.makecalls_per_second,
        ),
    )


def _console(
    ground: Ground, told: Recorders, telephony: Telephony, accounts: Accounts, audit: Audit
) -> ConsoleServices:
    config, data = ground.config, ground.data
    return ConsoleServices(
        directory=ground.directory,
        history=told.history,
        browser=Browser(ground.database, ground.writer.caught_up),
        reports=told.reports,
        notes=Notes(ground.database),
        names=told.names,
        calls=telephony.calls,
        accounts=accounts,
        audit=audit,
        clock=ground.clock,
        live=told.live,
        commands=IntegrationLog(told.outbox),
        uploads=Uploads(ground.directory, data),
        boxes=told.boxes,
        media_path=lambda file: data.media / file.path,
        asks=Asks(ground.clock),
        link_base=ground.console_at,
        report_mails=told.report_mails,
        sends_mail=told.mail.sends,
        send_mail=told.send_letter,
        provisioning=Provisioning(ground.clock),
        sip_addresses=telephony.sip_told,
        sip_messages=lambda callid: telephony.trace.messages(callid),
        free_disk=data.free,
        trusted_proxies=config.trusted_proxies,
        https_port=config.https.port if config.https else 0,
    )
