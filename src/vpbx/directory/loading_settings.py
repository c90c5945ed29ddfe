"""The company-wide settings of a domain's snapshot (crm-api §10–§17), of their rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from vpbx.directory import policy as p
from vpbx.directory import tables
from vpbx.directory.loading import Source
from vpbx.directory.model import (
    Department,
    Employee,
)
from vpbx.directory.sounds import BUILT_IN_MUSIC, PROMPT

__all__ = [
    "load_branches",
    "load_lists",
    "load_media",
    "load_other_operators",
    "load_settings",
]


async def load_settings(
    source: Source,
    *,
    media: Mapping[str, p.MediaFile],
    lists: Mapping[str, Sequence[str]],
    registrations: Mapping[str, p.SipRegistration],
    transfers: Mapping[str, p.SipuriTransfer],
    branches: Mapping[str, p.Branch],
    by_ext: Mapping[str, Employee | Department],
) -> p.Settings:
    """Return the settings; employees, departments and numbers are known to `source` by now."""
    return p.Settings(
        blacklist=await _blacklist(source),
        caller_ids=await _caller_ids(source),
        restrictions=await _restrictions(source),
        **await _music(source, media),
        blf_users=frozenset(lists["blf"]),
        voicemail=p.VoicemailCopies(
            source.domain.am_all,
            tuple(lists["am"]),
            tuple(await _group_list(source, "am")),
            source.domain.am_email,
        ),
        sip_registrations=MappingProxyType(registrations),
        sipuri_transfers=MappingProxyType(transfers),
        branches=MappingProxyType(_with_counts(branches, by_ext)),
        webhooks=tuple(
            p.Webhook(row.id, row.type, row.url)
            for row in await source.rows(tables.webhooks, "url", "id")
        ),
        media=MappingProxyType(media),
        prompts=MappingProxyType(
            {file.name: file for file in media.values() if file.type == PROMPT}
        ),
    )


async def load_media(source: Source) -> dict[str, p.MediaFile]:
    """Return the sounds a company uploaded, by id."""
    rows = await source.rows(tables.media_files, "name", "id")
    source.media = {row.id: row.file_id for row in rows}
    return {
        row.file_id: p.MediaFile(
            row.file_id,
            row.type,
            row.name,
            row.path,
            row.duration_s,
            row.size_bytes,
            row.spoken_text,
            row.spoken_language,
        )
        for row in rows
    }


async def load_lists(source: Source) -> dict[str, list[str]]:
    """Return the logins on each list of employees: record, blf, am."""
    lists: dict[str, list[str]] = defaultdict(list)
    for row in await source.rows(tables.user_lists, "list", "user_id"):
        lists[row.list].append(source.logins[row.user_id])
    return lists


async def _group_list(source: Source, name: str) -> Iterable[str]:
    rows = await source.rows(tables.group_lists, "group_id")
    return [source.gids[row.group_id] for row in rows if row.list == name]


async def _blacklist(source: Source) -> p.BlackList:
    rows = await source.rows(tables.blacklist, "telnum")
    entries = {row.telnum: row.comment for row in rows}
    return p.BlackList(MappingProxyType(entries), source.domain.block_anonymous)


async def _caller_ids(source: Source) -> p.CallerIds:
    users, groups, regions = {}, {}, {}
    for row in await source.rows(tables.caller_ids, "id"):
        telnum = source.telnums[row.number_id]
        if row.user_id is not None:
            users[source.logins[row.user_id]] = telnum
        elif row.group_id is not None:
            groups[source.gids[row.group_id]] = telnum
        else:
            regions[row.region_id] = telnum
    return p.CallerIds(MappingProxyType(users), MappingProxyType(groups), MappingProxyType(regions))


async def _restrictions(source: Source) -> p.Restrictions:
    users, groups = {}, {}
    for row in await source.rows(tables.call_rules, "id"):
        if row.user_id is not None:
            users[source.logins[row.user_id]] = frozenset(row.allowed)
        else:
            groups[source.gids[row.group_id]] = frozenset(row.allowed)
    return p.Restrictions(
        frozenset(source.domain.allowed), MappingProxyType(users), MappingProxyType(groups)
    )


async def _music(source: Source, media: Mapping[str, p.MediaFile]) -> dict[str, p.Music]:
    chosen = {}
    for row in await source.rows(tables.music, "kind"):
        if row.media_id is not None:
            file = media[source.media[row.media_id]]
            chosen[row.kind] = p.Music(file.id, file.name, True)
        elif row.builtin in BUILT_IN_MUSIC:
            chosen[row.kind] = p.Music(row.builtin, BUILT_IN_MUSIC[row.builtin])
    return chosen


async def load_other_operators(
    source: Source,
) -> tuple[dict[str, p.SipRegistration], dict[str, p.SipuriTransfer], dict[int, bool]]:
    """Return registrations and SIP addresses by telnum, and which numbers (by row) may be shown."""
    telnums = {row.id: row.telnum for row in await source.rows(tables.numbers, "telnum")}
    outgoing: dict[int, bool] = {}
    registrations = {}
    for row in await source.rows(tables.sip_registrations, "id"):
        telnum = telnums[row.number_id]
        outgoing[row.number_id] = row.active and row.outgoing
        registrations[telnum] = p.registration_of(row, telnum)
    transfers = {}
    for row in await source.rows(tables.sipuri_transfers, "id"):
        telnum = telnums[row.number_id]
        uri = f"{row.user}@{source.domain.name}"
        transfers[telnum] = p.SipuriTransfer(telnum, uri, row.active)
    return registrations, transfers, outgoing


async def load_branches(
    source: Source,
) -> tuple[dict[str, p.Branch], dict[int, tuple[p.BranchUser, str]]]:
    """Return connected PBXs by domain, and their people by row, each with the domain."""
    rows = await source.rows(tables.branches, "id")
    domains = {row.id: row.domain for row in rows}
    members: dict[int, list[p.BranchUser]] = defaultdict(list)
    by_id = {}
    for row in await source.rows(tables.branch_users, "id"):
        user = p.BranchUser(row.login, row.name, row.ext, row.kind)
        members[row.branch_id].append(user)
        by_id[row.id] = (user, domains[row.branch_id])
    branches = {
        row.domain: p.Branch(
            row.name,
            row.domain,
            p.BranchStatus(row.status),
            key=row.sealed_key,
            members=tuple(members[row.id]),
            id=row.id,
            reason=row.reason,
            url=row.url,
            sip=row.sip,
            sip_told=row.sip_told,
            ca=row.ca,
        )
        for row in rows
    }
    return branches, by_id


def _with_counts(
    branches: Mapping[str, p.Branch], by_ext: Mapping[str, Employee | Department]
) -> dict[str, p.Branch]:
    counted = {}
    for domain, branch in branches.items():
        exts = [member.ext for member in branch.members if member.ext]
        users = sum(member.kind == "user" for member in branch.members)
        counted[domain] = replace(
            branch,
            users_count=users,
            groups_count=len(branch.members) - users,
            exts_count=len(exts),
            collisions_count=sum(ext in by_ext for ext in exts),
        )
    return counted
