#!/bin/sh
# Sell, wait for KRA's signature, print the receipt. Needs curl and jq.
#
#   sh sell.sh REFERENCE [ITEM]       a sale of one ITEM
#   sh sell.sh --credit REFERENCE     gives all of that sale back
#
# ETIMS_URL, ETIMS_TOKEN and ETIMS_DEVICE come from the environment (`. .local/demo.env`).
set -u
if [ $# = 0 ] || [ -z "${ETIMS_URL:-}" ] || [ -z "${ETIMS_TOKEN:-}" ] || [ -z "${ETIMS_DEVICE:-}" ]; then
    sed -n '2,7s/^# *//p' "$0" >&2  # the lines above
    exit 1
fi
answer=$(mktemp) && trap 'rm -f "$answer"' EXIT

# call METHOD PATH [curl's arguments]: the body lands in $answer, the status is printed; 000 is none.
call() {
    method=$1 path=$2
    shift 2
    # Longer than the wait asked for, or the till gives up on an answer under way.
    curl -s -o "$answer" -w '%{http_code}' --max-time 20 -X "$method" "${ETIMS_URL%/}$path" \
        -H "Authorization: Token $ETIMS_TOKEN" "$@"
}

# Lost answers, time-outs, 429 and 5xx: exactly the same request again, the same reference.
repeat() {
    for pause in 0.5 1 2 4 8 15 15 15; do
        status=$(call "$@")
        case $status in
            2*) return 0 ;;
            000 | 429 | 5*) echo "Trying again: $status" >&2; sleep "$pause" ;;
            *) cat "$answer" >&2; exit 1 ;;  # 4xx: sending the same again does not help
        esac
    done
    echo "No answer. The sale may be stored: keep it and send the same again later." >&2
    exit 3
}

if [ "$1" = --credit ]; then
    path=/api/credit-notes/
    body=$(jq -nc --arg device "$ETIMS_DEVICE" --arg original "$2" \
        '{$device, reference: ($original + "-CN"), $original, reason: "refund"}')
else
    path=/api/sales/
    body=$(jq -nc --arg device "$ETIMS_DEVICE" --arg reference "$1" --arg item "${2:-KETTLE}" \
        '{$device, $reference, payment_method: "mobile_money", lines: [{$item, quantity: "1"}]}')
fi
repeat POST "$path" -H 'Content-Type: application/json' -H 'Prefer: wait=10' -d "$body"

# 201, 202 and 200 all carry the sale; only `status` says how far it is.
polls=0
while state=$(jq -r .status "$answer") && [ $polls -lt 30 ]; do
    case $state in queued | sending | unknown) ;; *) break ;; esac
    echo "$state; for the buyer: $(jq -r .links.public "$answer")" >&2
    sleep 2
    polls=$((polls + 1))
    repeat GET "$(jq -r .links.self "$answer")"
done

if [ "$state" = signed ]; then
    # The print_id makes a repeat of this request the same print, not a copy.
    receipt=$(jq -r '.links.receipt + "?print_id=original-\(.id)"' "$answer")
    repeat GET "$receipt" -H 'Accept: text/plain'
    cat "$answer"
else
    jq -r '.status + ": " + (.trouble.cause // "") + " " + (.trouble.next_step // "")' "$answer" >&2
    exit 2  # stored, but not signed
fi
