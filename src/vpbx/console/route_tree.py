"""Where a number's calls go, as a tree to be drawn and told, by the functions that calls use.

Pure: a snapshot and a moment in, values out. What holds at the moment is marked; where the
caller chooses (a menu) or nobody knows (whether somebody takes the call), all ways are shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from vpbx.console.texts import Texts, phone
from vpbx.directory import Department, DomainConfig, Employee, Member, Menu, Number
from vpbx.directory.goals import (
    ByHours,
    Goal,
    ToDepartment,
    ToEmployee,
    ToFax,
    ToMenu,
    ToMessage,
    ToOutside,
    ToVoicemail,
    of_item,
    of_number,
    of_route,
    of_timeout,
)

__all__ = ["Box", "Drawing", "Edge", "Node", "draw", "tree", "way"]


_DEEPEST = 5
_WIDTH, _HEIGHT = 210, 58
_GAP_X, _GAP_Y = 96, 16
_LETTERS, _BOLD_LETTERS = 23, 16
"""How many fit into a box beside its icon: Cyrillic ones are about 7 and 9.5 pixels wide."""


@dataclass(slots=True)
class Node:
    """A place a call may come to. `kind` is an icon; `href` where it is set."""

    kind: str
    title: str
    detail: str = ""
    href: str = ""
    edges: list[Edge] = field(default_factory=list)


@dataclass(slots=True)
class Edge:
    """A way on. `holds`: it is the one taken at the moment asked for; `open`: it depends."""

    label: str
    node: Node
    holds: bool = False
    open: bool = True
    greets: bool = False
    """Whether a greeting is heard on the way."""


def tree(domain: DomainConfig, number: Number, moment: datetime, say: Texts) -> Node:
    """Return where calls to `number` go at `moment`."""
    grower = _Grower(domain, moment, say)
    details = [number.name]
    if number.responsible_first:
        details.append(say("first the responsible employee"))
    root = Node("number", phone(number.telnum), " · ".join(filter(None, details)))
    first = grower.grow(of_number(domain, number), number, ())
    label = say("greeting") if number.greeting else ""
    if not number.enabled:
        refused = Node("block", say("Calls are refused"))
        root.edges.append(Edge(say("switched off"), refused, holds=True, open=False))
    root.edges.append(Edge(label, first, holds=number.enabled, open=False))
    return root


def way(root: Node, say: Texts) -> list[str]:
    """Return the steps that are sure at the moment, in words, until it depends on somebody."""
    steps, node = [], root
    while True:
        steps.append(" — ".join(filter(None, (node.title, node.detail))))
        on = next((edge for edge in node.edges if edge.holds), None)
        if on is None:
            return steps
        if on.label:
            steps.append(on.label)
        if on.greets:
            steps.append(say("greeting"))
        node = on.node


@dataclass(slots=True)
class _Grower:
    domain: DomainConfig
    moment: datetime
    say: Texts

    def grow(self, goal: Goal, number: Number, above: tuple[Goal, ...]) -> Node:
        if goal in above or len(above) >= _DEEPEST:
            return Node("back", self.say("goes back there"))
        path = (*above, goal)
        match goal:
            case ToEmployee(login=login):
                return self._employee(self.domain.find_employee(login))
            case ToDepartment(id=group_id):
                return self._department(self.domain.find_department(group_id), number, path)
            case ToMenu(menu=menu):
                return self._menu(menu, number, path)
            case ByHours():
                return self._hours(number, path)
        return self._end(goal)

    def _employee(self, employee: Employee | None) -> Node:
        if employee is None:
            return Node("person", self.say("nobody"))
        detail, mobile = employee.ext, employee.mobile_redirect
        if not employee.receives_calls:
            detail += " · " + self.say("do not disturb")
        elif mobile.enabled and employee.mobile:
            detail += " · " + self.say("on the mobile" if mobile.forward else "mobile too")
        node = Node("person", employee.name, detail, f"/employees/{employee.login}")
        covered = self.domain.settings.voicemail.covers(self.domain, employee.login)
        rest = Node("mail", self.say("Voicemail")) if covered else None
        if not employee.receives_calls:
            rest = rest or Node("block", self.say("Nobody takes it"))
            node.edges.append(Edge(self.say("at once"), rest, holds=True, open=False))
        elif rest is not None:
            after = self.say("after {n} s", n=self.domain.ring_timeout_s)
            node.edges.append(Edge(after, rest))
        return node

    def _department(self, group: Department | None, number: Number, path: tuple[Goal, ...]) -> Node:
        if group is None:
            return Node("group", self.say("nobody"))
        ringing = sum(member.calls_enable and self._receives(member) for member in group.members)
        detail = self.say.count("{n} rings", "{n} ring", ringing)
        node = Node("group", group.name, detail, f"/departments/{group.id}")
        rest = self.grow(of_timeout(group), number, path)
        if group.members:
            node.edges.append(Edge(self.say("after {n} s", n=group.timeout.time), rest))
        else:
            node.edges.append(Edge(self.say("at once"), rest, holds=True, open=False))
        return node

    def _receives(self, member: Member) -> bool:
        """Say whether who is in a department takes calls; of other PBXs they say so themselves."""
        employee = self.domain.employees.get(member.login)
        return employee is None or employee.receives_calls

    def _menu(self, menu: Menu, number: Number, path: tuple[Goal, ...]) -> Node:
        node = Node("list", self.say("Menu"), menu.name)
        for item in menu.items:
            label = self.say("no key") if item.button == "timeout" else item.button
            node.edges.append(Edge(label, self.grow(of_item(item), number, path)))
        return node

    def _hours(self, number: Number, path: tuple[Goal, ...]) -> Node:
        holding = self.domain.holding(number, self.moment)
        node = Node("clock", self.say("By the hours"))
        if number.work is None or number.other is None:
            return node
        ways = [("", self.say("business hours"), number.work)]
        ways += [(custom.id, custom.name, custom.route) for custom in number.custom_routes]
        ways.append(("-", self.say("closed"), number.other))
        for custom_id, label, route in ways:
            holds = holding is not None and (
                holding.custom_id == custom_id
                if custom_id not in ("", "-")
                else not holding.custom_id and (holding.hours == "business") == (custom_id == "")
            )
            edge = Edge(label, self.grow(of_route(route), number, path), holds, open=False)
            edge.greets = route.greeting
            node.edges.append(edge)
        return node

    def _end(self, goal: Goal) -> Node:
        match goal:
            case ToOutside(number=telnum):
                return Node("out", phone(telnum), self.say("outside number"))
            case ToVoicemail():
                return Node("mail", self.say("Voicemail"))
            case ToFax(user=login):
                employee = self.domain.find_employee(login)
                return Node("mail", self.say("Fax"), employee.name if employee else "")
            case ToMessage(closed=closed):
                said = "Message: we are closed" if closed else "Message: call later"
                return Node("sound", self.say(said))
        return Node("back", "")


@dataclass(frozen=True, slots=True)
class Box:
    """A node with its place in the drawing."""

    x: int
    y: int
    node: Node
    title: str
    detail: str
    on: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A way between two boxes, as an SVG path, and where its label stands."""

    path: str
    label: str
    x: int
    y: int
    on: bool
    off: bool


@dataclass(slots=True)
class Drawing:
    """All of it, in pixels."""

    width: int = 0
    height: int = 0
    boxes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


def draw(root: Node) -> Drawing:
    """Lay a tree out from left to right."""
    drawing = Drawing()
    _place(drawing, root, 0, 0, on=True)
    drawing.width = max(box.x for box in drawing.boxes) + _WIDTH + 2
    drawing.height = max(box.y for box in drawing.boxes) + _HEIGHT + 2
    return drawing


def _place(drawing: Drawing, node: Node, depth: int, top: int, *, on: bool) -> tuple[int, int]:
    """Put a node and what is below it; return the middle of its box and the first free line."""
    x, bottom, middles = depth * (_WIDTH + _GAP_X) + 1, top, []
    for edge in node.edges:
        middle, bottom = _place(
            drawing, edge.node, depth + 1, bottom, on=on and (edge.holds or edge.open)
        )
        middles.append(middle)
    if middles:
        middle = (middles[0] + middles[-1]) // 2
    else:
        middle, bottom = top + _HEIGHT // 2 + 1, top + _HEIGHT + _GAP_Y
    drawing.boxes.append(
        Box(x, middle - _HEIGHT // 2, node, _cut(node.title, _BOLD_LETTERS), _cut(node.detail), on)
    )
    for edge, at in zip(node.edges, middles, strict=True):
        start, end = x + _WIDTH, x + _WIDTH + _GAP_X
        bend = (start + end) // 2
        path = f"M{start} {middle} C{bend} {middle} {bend} {at} {end} {at}"
        lit = on and (edge.holds or edge.open)
        drawing.lines.append(Line(path, _cut(edge.label, 13), end - 6, at - 6, lit, on and not lit))
    return middle, bottom


def _cut(text: str, letters: int = _LETTERS) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"
