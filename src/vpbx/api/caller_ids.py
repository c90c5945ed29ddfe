"""Outgoing numbers (crm-api §12)."""

from __future__ import annotations

from pydantic import Field
from starlette.responses import Response

from vpbx.api.answer import answer
from vpbx.api.fields import Name, Request
from vpbx.api.models import Id, Model
from vpbx.api.operation import Call, Section
from vpbx.api.plain import done

__all__ = ["section"]

section = Section(
    "Outgoing numbers",
    "The number shown for an outgoing call is the first of: clid of makecall, the employee's, "
    "their department's, that of the called number's region, main.",
)

VIEW = ("Outgoing numbers", "View")
EDITING = ("Outgoing numbers", "Editing")
DELETING = ("Outgoing numbers", "Deleting")


class UserNumber(Model):
    """An employee's outgoing number."""

    login: str
    name: str
    telnum: str


class IdNumber(Id):
    """A department's or region's outgoing number."""

    telnum: str


class CallerIds(Model):
    """Outgoing numbers."""

    main: str
    users: list[UserNumber]
    groups: list[IdNumber]
    regions: list[IdNumber]


class OutgoingTelnum(Model):
    """A number of the domain."""

    telnum: str
    enabled: bool = Field(description="May be shown for outgoing calls.")


class MainNumber(Request):
    """The company's outgoing number."""

    telnum: Name


class UserNumberSetting(Request):
    """An employee's outgoing number."""

    telnum: Name
    login: Name = Field(description="Login or internal number.")


class GroupNumberSetting(Request):
    """A department's outgoing number."""

    telnum: Name
    id: Name = Field(description="A department's id.")


class RegionNumberSetting(Request):
    """A region's outgoing number."""

    telnum: Name
    id: Name = Field(description="A region's id, from GET /caller-ids/regions.")


NUMBER = "79001112233"
REGION = {"id": "2", "name": "Altai Republic"}
SHOWN = {
    "main": NUMBER,
    "users": [{"login": "admin", "name": "Administrator", "telnum": NUMBER}],
    "groups": [{"id": "sales", "name": "Sales department", "telnum": NUMBER}],
    "regions": [{**REGION, "telnum": NUMBER}],
}


@section.get(
    "/caller-ids", answer=CallerIds, right=VIEW, shows=SHOWN, summary="Outgoing number settings"
)
async def get_caller_ids(call: Call) -> Response:
    """Outgoing numbers of the company, employees, departments and regions."""
    directory = call.services.directory
    domain = await directory.current(call.domain)
    main, rules = await directory.caller_ids.get(domain)
    employees, departments = domain.employees, domain.departments
    return answer(
        {
            "main": main,
            "users": [
                {"login": login, "name": employees[login].name, "telnum": telnum}
                for login, telnum in rules.users.items()
                if login in employees
            ],
            "groups": [
                {"id": gid, "name": departments[gid].name, "telnum": telnum}
                for gid, telnum in rules.groups.items()
                if gid in departments
            ],
            "regions": [
                {"id": region.id, "name": region.name, "telnum": rules.regions[region.id]}
                for region in directory.caller_ids.regions()
                if region.id in rules.regions
            ],
        }
    )


@section.get(
    "/caller-ids/telnums",
    answer=list[OutgoingTelnum],
    shows=[{"telnum": NUMBER, "enabled": True}],
    summary="Number list",
)
async def list_outgoing(call: Call) -> Response:
    """All numbers, and whether calls may leave with them."""
    numbers = await call.services.directory.caller_ids.telnums(call.domain)
    return answer([{"telnum": item.telnum, "enabled": item.outgoing} for item in numbers])


section.post(
    "/caller-ids/main",
    body=MainNumber,
    right=EDITING,
    example={"telnum": NUMBER},
    summary="Primary company number",
)(done(lambda directory: directory.caller_ids.set_main, "Set the main company number."))


section.post(
    "/caller-ids/users",
    body=UserNumberSetting,
    right=EDITING,
    example={"telnum": NUMBER, "login": "admin"},
    summary="Setting a personal outgoing number for the employee",
)(done(lambda directory: directory.caller_ids.set_user, "Set an employee's number."))


section.delete(
    "/caller-ids/users/{user}",
    right=DELETING,
    summary="Deleting a personal outgoing number for the employee",
)(
    done(
        lambda directory: directory.caller_ids.delete_user,
        "Delete an employee's number.",
        path=("user",),
    )
)


section.post(
    "/caller-ids/groups",
    body=GroupNumberSetting,
    right=EDITING,
    example={"telnum": NUMBER, "id": "sales"},
    summary="Setting an outgoing number for the department",
)(done(lambda directory: directory.caller_ids.set_group, "Set a department's number."))


section.delete(
    "/caller-ids/groups/{id}",
    right=DELETING,
    summary="Deleting an outgoing number for a department",
)(
    done(
        lambda directory: directory.caller_ids.delete_group,
        "Delete a department's number.",
        path=("id",),
    )
)


@section.get(
    "/caller-ids/regions",
    answer=list[Id],
    shows=[REGION, {"id": "43", "name": "Moscow and Moscow region"}],
    summary="Getting a list of regions",
)
async def list_regions(call: Call) -> Response:
    """All regions that a number can be set for."""
    regions = call.services.directory.caller_ids.regions()
    return answer([{"id": region.id, "name": region.name} for region in regions])


section.post(
    "/caller-ids/regions",
    body=RegionNumberSetting,
    right=EDITING,
    example={"telnum": NUMBER, "id": "2"},
    summary="Setting a regional outgoing number",
)(
    done(
        lambda directory: directory.caller_ids.set_region,
        "Set the number shown for calls to a region.",
    )
)


section.delete(
    "/caller-ids/regions/{id}",
    right=DELETING,
    summary="Deleting a regional outgoing number",
)(
    done(
        lambda directory: directory.caller_ids.delete_region,
        "Delete a region's number.",
        path=("id",),
    )
)
