
$asked = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);
$keys = [];
foreach ($asked['keys'] as $key) {
    foreach (['secret', 'private', 'public'] as $part) {
        if (isset($key[$part])) {
            $key[$part] = hex2bin($key[$part]);
        }
    }
    $keys[$key['kid']] = $key;
}
$links = [];
foreach ($asked['links'] as $case) {
    $params = array_column($case['params'], 1, 0);
    $links[] = build_link($case['address'], $params, $keys[$case['kid']], $case['nonce'], $case['exp']);
}
$results = [];
foreach ($asked['results'] as $case) {
    try {
        $results[] = verify_result($case['query'], $keys, $case['ref'], $case['own'], $case['now']);
    } catch (UnexpectedValueException | SodiumException) {
        $results[] = null;
    }
}
echo json_encode(['links' => $links, 'results' => $results], JSON_THROW_ON_ERROR);
