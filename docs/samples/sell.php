<?php
// Sell, wait for KRA's signature, print the receipt. PHP 8 with its curl extension.
//
//   php sell.php REFERENCE [ITEM]       a sale of one ITEM
//   php sell.php --credit REFERENCE     gives all of that sale back
//
// ETIMS_URL, ETIMS_TOKEN and ETIMS_DEVICE come from the environment (`. .local/demo.env`).
declare(strict_types=1);

const POLLS = 30; // every two seconds

function say(string $text): void
{
    fwrite(STDERR, $text . "\n");
}

/** The status and the text of one answer; status 0 is none, or one that broke off. */
function call(string $method, string $path, ?string $body, array $headers): array
{
    $curl = curl_init(rtrim(getenv('ETIMS_URL'), '/') . $path);
    curl_setopt_array($curl, [
        CURLOPT_CUSTOMREQUEST => $method,
        CURLOPT_RETURNTRANSFER => true,
        // Longer than the wait asked for, or the till gives up on an answer under way.
        CURLOPT_TIMEOUT => 20,
        CURLOPT_HTTPHEADER => ['Authorization: Token ' . getenv('ETIMS_TOKEN'), ...$headers],
    ]);
    if ($body !== null) {
        curl_setopt($curl, CURLOPT_POSTFIELDS, $body);
    }
    $text = curl_exec($curl);
    return $text === false ? [0, curl_error($curl)] : [curl_getinfo($curl, CURLINFO_HTTP_CODE), $text];
}

/** Lost answers, time-outs, 429 and 5xx: exactly the same request again, the same reference. */
function repeat(string $method, string $path, ?string $body = null, array $headers = []): string
{
    foreach ([0.5, 1, 2, 4, 8, 15, 15, 15] as $pause) {
        [$status, $text] = call($method, $path, $body, $headers);
        if ($status >= 200 && $status < 300) {
            return $text;
        }
        if ($status >= 400 && $status < 500 && $status !== 429) {
            say($text); // sending the same again does not help
            exit(1);
        }
        say("Trying again: $status " . substr($text, 0, 200));
        usleep((int) ($pause * 1e6));
    }
    say('No answer. The sale may be stored: keep it and send the same again later.');
    exit(3);
}

function post(string $path, array $document): array
{
    // Built once: a repeat with another time or price would be another sale.
    $body = json_encode($document, JSON_THROW_ON_ERROR);
    $headers = ['Content-Type: application/json', 'Prefer: wait=10'];
    return json_decode(repeat('POST', $path, $body, $headers), true, flags: JSON_THROW_ON_ERROR);
}

/** 201, 202 and 200 all carry the sale; only `status` says how far it is. */
function settle(array $sale): array
{
    for ($poll = 0; $poll < POLLS; $poll++) {
        if (!in_array($sale['status'], ['queued', 'sending', 'unknown'], true)) {
            break;
        }
        say($sale['status'] . '; for the buyer: ' . $sale['links']['public']);
        sleep(2);
        $sale = json_decode(repeat('GET', $sale['links']['self']), true, flags: JSON_THROW_ON_ERROR);
    }
    return $sale;
}

function finish(array $sale): int
{
    $sale = settle($sale);
    if ($sale['status'] === 'signed') {
        // The print_id makes a repeat of this request the same print, not a copy.
        $path = $sale['links']['receipt'] . '?print_id=original-' . $sale['id'];
        echo repeat('GET', $path, null, ['Accept: text/plain']), "\n";
        return 0;
    }
    say($sale['status'] . ': ' . ($sale['trouble']['cause'] ?? '') . ' ' . ($sale['trouble']['next_step'] ?? ''));
    return 2; // stored, but not signed
}

$device = getenv('ETIMS_DEVICE');
if ($argc < 2 || !getenv('ETIMS_URL') || !getenv('ETIMS_TOKEN') || !getenv('ETIMS_DEVICE')) {
    say('php sell.php [--credit] REFERENCE; ETIMS_URL, ETIMS_TOKEN and ETIMS_DEVICE must be set.');
    exit(1);
}
if ($argv[1] === '--credit') {
    exit(finish(post('/api/credit-notes/', [
        'device' => $device, 'reference' => $argv[2] . '-CN', 'original' => $argv[2],
        'reason' => 'refund',
    ])));
}
exit(finish(post('/api/sales/', [
    'device' => $device, 'reference' => $argv[1], 'payment_method' => 'mobile_money',
    'lines' => [['item' => $argv[2] ?? 'KETTLE', 'quantity' => '1']],
])));
