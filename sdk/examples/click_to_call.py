"""Calls a customer: the employee's phone rings first.

VPBX_URL=https://acme.example:8443 VPBX_KEY=… python click_to_call.py olga "+7 910 123-45-67"
"""

import os
import sys

from vpbx_sdk import Client, ValidationFault, VpbxError, api

user, phone = sys.argv[1:]
with Client(os.environ["VPBX_URL"], os.environ["VPBX_KEY"]) as pbx:
    try:
        print("the call is under way:", pbx(api.make_call(phone=phone, user=user)).callid)
    except ValidationFault as fault:
        sys.exit(", ".join(f"{wrong.field} {wrong.message}" for wrong in fault.fields))
    except VpbxError as error:
        sys.exit(str(error))
