/** URLs that are refused on their raw text, whatever is granted: those of WebSockets, and their twins for requests. */
export const refusals: ReadonlyArray<readonly [what: string, why: RegExp, urls: ReadonlyArray<string>]> = [
  [
    "characters other than printable ASCII",
    /ASCII/,
    [
      "ws://bücher.example/",
      "ws://h/é",
      "ws://h/?q=é",
      "ws://h/\t",
      "ws://h/a\nb",
      "ws:\r\n//h/",
      "\u0000ws://h/",
      "ws://h/\u007f",
      "ws://ｅxample.com/",
      "ws://h/\u{1f600}",
      "ws://h/\ud800"
    ]
  ],
  ["no // after the scheme", /\/\//, ["ws:h/", "ws:/h/", "wss:h", "ws:", "ws:/", "WS:h/"]],
  [
    "another scheme",
    /neither/,
    [
      "",
      "h",
      "//h/",
      "/gateway",
      "http://h/",
      "https://h/",
      "file:///etc/passwd",
      "wsss://h/",
      "ws+unix://h/",
      "websocket:ws://h/",
      "javascript:ws://h/",
      ":ws://h/"
    ]
  ],
  [
    "user info",
    /user info/,
    [
      "ws://u@h/",
      "ws://u:p@h/",
      "ws://@h/",
      "ws://:@h/",
      "ws://127.0.0.1@h/",
      "ws://h:80@g/",
      "ws://u@@h/",
      "wss://u@h"
    ]
  ],
  ["a fragment", /fragment/, ["ws://h/#", "ws://h/#f", "ws://h/?q#f", "ws://h#f", "ws://h#@g/"]],
  ["a backslash", /backslash/, ["ws://h\\g/", "ws://h/a\\b", "ws://h/a\\..\\b", "ws://h/?q=\\"]],
  [
    "an escape of a dot, slash, backslash, percent sign or control",
    /escaped/,
    [
      ...["2e", "2E", "2f", "2F", "5c", "5C", "25", "00", "09", "0a", "0D", "1f", "7f", "7F"].flatMap((hex) => [
        `ws://h/%${hex}`,
        `ws://h/a/%${hex}${hex}`,
        `ws://h/a%${hex}b/c?q`,
        `ws://h/a;%${hex}`
      ]),
      // What proxies and servers were led astray by: a second decoding, stripped controls.
      "ws://h/gateway/%252e%252e/admin",
      "ws://h/gateway/.%2e/admin",
      "ws://h/gateway/..%2fadmin",
      "ws://h/gateway/..%5cadmin",
      "ws://h/gateway/%2e%2e;/admin",
      "ws://h/gateway/..%0d/admin",
      "ws://h/gateway/.%0a./admin",
      "ws://h/gateway/..%09/admin",
      "ws://h/gateway/..%00/admin",
      "ws://h/gateway/..%7f/admin",
      "ws://h/gateway/.%c2%80./admin",
      "ws://h/gateway/..%C2%9F/admin"
    ]
  ],
  [
    "an escape of what compatibility turns into a dot, slash, backslash, percent sign or semicolon",
    /escaped/,
    [
      "\uff0e\uff0e",
      "..\uff0f",
      "..\uff3c",
      "\uff052e",
      "..\uff1b",
      "..\u037e",
      "\u2025",
      "\u2026",
      "\u2100",
      "\ufe52"
    ].map((text) => `ws://h/gateway/${encodeURIComponent(text)}/admin`)
  ],
  [
    "a percent sign without two hexadecimal digits",
    /percent sign without/,
    [
      "ws://h/%",
      "ws://h/a%",
      "ws://h/%2",
      "ws://h/%/a",
      "ws://h/%g0/",
      "ws://h/%0g",
      "ws://h/% 20".replace(" ", "%"),
      "ws://h/gateway/.%%32%65/admin",
      "ws://h/gateway/%u002e%u002e/admin",
      "ws://h/gateway/%%2e",
      "ws://h/gateway/..%u2215admin"
    ]
  ],
  [
    "escapes that are no UTF-8",
    /UTF-8/,
    [
      "c0%af",
      "c0%ae",
      "C1%9C",
      "e0%80%ae",
      "e0%80%af",
      "f0%80%80%ae",
      "f8%80%80%80%ae",
      "80",
      "ae",
      "ff",
      "fe",
      "c3",
      "e2%82",
      "c3%c3%a9",
      "ed%a0%80",
      "ed%a0%bc%ed%b8%80",
      "f4%90%80%80",
      "e9"
    ].flatMap((escape) => [`ws://h/gateway/..%${escape}admin`, `ws://h/%${escape}`])
  ],
  [
    "an empty segment other than the last",
    /empty segment/,
    [
      "ws://h//",
      "ws://h//a",
      "ws://h/a//b",
      "ws://h/a//",
      "ws://h///",
      "ws://h/;/",
      "ws://h/;x/",
      "ws://h/a/;/b",
      "ws://h/a/;x=1/b",
      "ws://h/%3b/",
      "ws://h/a/%3Bx/b"
    ]
  ],
  [
    "a dot segment",
    /dot segment/,
    [
      "ws://h/.",
      "ws://h/..",
      "ws://h/./a",
      "ws://h/../a",
      "ws://h/a/.",
      "ws://h/a/..",
      "ws://h/a/../",
      "ws://h/a/../b?q",
      "ws://h/a/..;/b",
      "ws://h/a/.;x=1/b",
      "ws://h/a/..;x",
      "ws://h/.;",
      "ws://h/gateway/..%3b/admin",
      "ws://h/gateway/..%3Bx/admin",
      "ws://h/gateway/.%3b",
      "ws://h/gateway/..;%3b/admin",
      "ws://h/gateway/..%20/admin",
      "ws://h/gateway/%20..%20%20;x/admin",
      "ws://h/gateway/%20."
    ]
  ],
  ["no host", /host/, ["ws://", "ws:///a", "ws:///h/", "ws://?q", "ws:////h/", "wss:////u@h/"]],
  ["a port that is none", /not a URL|port/, ["ws://h:0/", "ws://h:65536/", "ws://h:-1/", "ws://h:a/", "ws://h:80:80/"]],
  [
    "a host that is none",
    /not a URL|host/,
    [
      "ws://[::1/",
      "ws://::1/",
      "ws://[1.2.3.4]/",
      "ws://1.2.3.4.5/",
      "ws://256.1.1.1/",
      "ws://[]/",
      "ws://[::1]x/",
      "ws://x[::1]/",
      "ws://[::1].:80/",
      "ws://[v1.a]/",
      "ws://[::1]]/",
      "ws://h.0x/",
      "ws://h.09/",
      "ws://0x100000000/",
      "ws://1.2.3.08/"
    ]
  ],
  [
    "a host with a percent-escape",
    /percent-escape/,
    [
      "ws://ex%61mple.com/",
      "ws://%31%32%37.0.0.1/",
      "ws://h%2eexample/",
      "ws://h%00/",
      "ws://h%2f/",
      "ws://%/",
      "ws://h%:80/",
      "ws://[fe80::1%25eth0]/",
      "ws://[fe80::1%eth0]/",
      "ws://%EF%BC%A7o.com/"
    ]
  ],
  [
    "a host with an empty label",
    /empty label/,
    [
      "ws://127.0.0.1../",
      "ws://127.0.0.1..:80/",
      "ws://.example.com/",
      "ws://a..example.com/",
      "ws://example.com../",
      "ws://../",
      "ws://./",
      "ws://.:80/",
      "ws://..",
      "ws://.127.0.0.1/",
      "ws://0x7f..1/"
    ]
  ],
  [
    "a host with what no name has",
    /no name has/,
    [..."!$&'()*+,;=~\"<>^`{|}"].flatMap((character) => [`ws://a${character}b/`, `ws://${character}.example.com:80/`])
  ],
  ["more than 8192 characters", /8192/, [`ws://h/${"a".repeat(8200)}`]]
]

/** The same URL for a request. */
export const requestTwin = (url: string): string => url.replace(/^ws/i, "http")

/** Which of them say the same of a request: those that are refused for their scheme don't. */
export const requestRefusals = refusals.filter(([what]) => what !== "another scheme")

/**
 * Requests that nobody has granted where `GET` to `/v1` of `api.example.com` is, under one scheme and at one port; what is
 * declared is `GET`, `POST` and `PUT` to any name.
 */
export const requestDenials = (
  scheme: "http" | "https",
  port: number
): ReadonlyArray<readonly [what: string, method: string, url: string, tag: string]> => {
  const other = scheme === "https" ? "http" : "https"
  return [
    ["another method", "POST", `${scheme}://api.example.com:${port}/v1`, "TargetUngranted"],
    ["the method in another case", "get", `${scheme}://api.example.com:${port}/v1`, "TargetUndeclared"],
    ["CONNECT", "CONNECT", `${scheme}://api.example.com:${port}/v1`, "TargetInvalid"],
    ["TRACE", "trace", `${scheme}://api.example.com:${port}/v1`, "TargetInvalid"],
    ["no method", "", `${scheme}://api.example.com:${port}/v1`, "TargetInvalid"],
    ["two requests in one", "GET / HTTP/1.1\r\n\r\nGET", `${scheme}://api.example.com:${port}/v1`, "TargetInvalid"],
    ["a neighbour of its path", "GET", `${scheme}://api.example.com:${port}/v1-admin`, "TargetUngranted"],
    ["a path above it", "GET", `${scheme}://api.example.com:${port}/`, "TargetUngranted"],
    ["its path in another case", "GET", `${scheme}://api.example.com:${port}/V1`, "TargetUngranted"],
    ["its path in the query", "GET", `${scheme}://api.example.com:${port}/?/v1`, "TargetUngranted"],
    ["the default port", "GET", `${scheme}://api.example.com/v1`, "TargetUngranted"],
    ["another port", "GET", `${scheme}://api.example.com:${port + 1}/v1`, "TargetUngranted"],
    ["another scheme", "GET", `${other}://api.example.com:${port}/v1`, "TargetUngranted"],
    ["a subdomain", "GET", `${scheme}://a.api.example.com:${port}/v1`, "TargetUngranted"],
    ["a domain that ends alike", "GET", `${scheme}://evil-api.example.com:${port}/v1`, "TargetUngranted"],
    ["a domain that begins alike", "GET", `${scheme}://api.example.com.evil.example:${port}/v1`, "TargetUngranted"],
    ["a literal under a wildcard", "GET", `${scheme}://127.0.0.1:${port}/v1`, "TargetUndeclared"],
    ["a literal in another spelling", "GET", `${scheme}://2130706433:${port}/v1`, "TargetUndeclared"],
    ["a socket", "GET", `wss://api.example.com:${port}/v1`, "TargetInvalid"]
  ]
}
