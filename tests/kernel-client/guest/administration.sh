# shellcheck shell=bash
# The server as its administrator sees it, through nfs4ctl.

export NFS4CTL_SERVER=http://$SERVER:$ADMIN_PORT NFS4CTL_TOKEN=$ADMIN_TOKEN

ctl() { "$HARNESS/nfs4ctl" "$@"; }

# field EXPRESSION: the expression of Python's, of the JSON on standard input, which is called `it`.
field() { python3 -c 'import json, sys; it = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }

# client_of NAME: the id of the client whose owner contains the name; it is the only one.
client_of() {
    ctl -o json clients list |
        field "(lambda them: them[0] if len(them) == 1 else 'not one: %s' % them)([c['client_id'] for c in it if '$1' in c['owner']])"
}
