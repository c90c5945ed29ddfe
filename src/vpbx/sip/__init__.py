"""SIP signalling: messages, transports, transactions, dialogs and sessions, and the small
arts around them (digest, SDP, offer/answer, registration).

A `SipStack` listens and calls; it hands new calls and requests to its `Application`, and each
call is a `Session` that tells its `SessionListener` what happens. Nothing here knows of
employees, routes or media: who may call and what an answer says is the owner's business.
"""

from vpbx.sip.budget import BudgetLimits, Standing
from vpbx.sip.config import StackConfig
from vpbx.sip.digest import (
    Authenticator,
    AuthResult,
    Credentials,
    Ha1,
    Proof,
    Verdict,
    WithoutQop,
    ha1,
)
from vpbx.sip.doorkeeper import Doorkeeper
from vpbx.sip.grammar import parse_address
from vpbx.sip.listener import EndCause, SessionState
from vpbx.sip.message import Request, Response, make_response
from vpbx.sip.offer_answer import CODEC_NAMES, NothingInCommon, codecs_of, common
from vpbx.sip.refer import SIPFRAG, ReferTo, Replaces, refer_to, replaces
from vpbx.sip.registrar import (
    Binding,
    RegisterResult,
    RegistrarLimits,
    register,
)
from vpbx.sip.registration import Registration, RegistrationState
from vpbx.sip.sdp import AudioCodec, MalformedSdp, MediaDescription, Sdp
from vpbx.sip.sdp_text import build, direction_answer, retarget
from vpbx.sip.session import Session, SessionAdapter, SessionListener
from vpbx.sip.stack import Application, SipStack
from vpbx.sip.subscription import EventType, Subscription, View, accepts, wanted_s
from vpbx.sip.target import Target
from vpbx.sip.throttle import Recent, Throttle
from vpbx.sip.transaction import ServerTransaction
from vpbx.sip.transport import Hop, Listen, network_of
from vpbx.sip.usage import WrongState

__all__ = [
    "CODEC_NAMES",
    "SIPFRAG",
    "Application",
    "AudioCodec",
    "AuthResult",
    "Authenticator",
    "Binding",
    "BudgetLimits",
    "Credentials",
    "Doorkeeper",
    "EndCause",
    "EventType",
    "Ha1",
    "Hop",
    "Listen",
    "MalformedSdp",
    "MediaDescription",
    "NothingInCommon",
    "Proof",
    "Recent",
    "ReferTo",
    "RegisterResult",
    "RegistrarLimits",
    "Registration",
    "RegistrationState",
    "Replaces",
    "Request",
    "Response",
    "Sdp",
    "ServerTransaction",
    "Session",
    "SessionAdapter",
    "SessionListener",
    "SessionState",
    "SipStack",
    "StackConfig",
    "Standing",
    "Subscription",
    "Target",
    "Throttle",
    "Verdict",
    "View",
    "WithoutQop",
    "WrongState",
    "accepts",
    "build",
    "codecs_of",
    "common",
    "direction_answer",
    "ha1",
    "make_response",
    "network_of",
    "parse_address",
    "refer_to",
    "register",
    "replaces",
    "retarget",
    "wanted_s",
]
