import CApusCore
import Testing

/// A request, or for all that matters an answer, with these values of Sec-WebSocket-Extensions, one field each.
private func head(_ values: [String]) throws -> ParsedHead {
    try ParsedHead(upgrade(adding: values.map { "Sec-WebSocket-Extensions: \($0)" }))
}

private func config(
    _ mode: apus_compression_mode = APUS_COMPRESSION_DEDICATED,
    _ change: (inout apus_compression_config) -> Void = { _ in }
) -> apus_compression_config {
    var config = apus_compression_config()
    apus_compression_config_init(&config)
    config.mode = mode
    change(&config)
    return config
}

private func text(_ write: (UnsafeMutablePointer<CChar>) -> Int) -> String {
    var out = [CChar](repeating: 0, count: Int(APUS_EXTENSION_SIZE) + 1)
    let count = write(&out)
    return String(decoding: out.prefix(count).map(UInt8.init), as: UTF8.self)
}

/// The answer to an offer; `nil` where it is declined.
private func answer(_ values: [String], _ config: apus_compression_config = config()) throws -> String? {
    var parameters = apus_deflate_parameters()
    var config = config
    guard try head(values).ask({ apus_extension_choose($0, &config, &parameters) }) else { return nil }
    return text { apus_extension_write_answer(&parameters, $0) }
}

private func offer(_ config: apus_compression_config) -> String {
    var config = config
    return text { apus_extension_write_offer(&config, $0) }
}

/// What a client makes of an answer.
private enum Verdict: Equatable {
    case agreed(server: UInt8, client: UInt8, keepsServer: Bool, keepsClient: Bool)
    case none
    case refused
}

private func check(_ values: [String], _ config: apus_compression_config = config()) throws -> Verdict {
    var parameters = apus_deflate_parameters()
    var config = config
    var isAgreed = true
    switch try head(values).ask({ apus_extension_check_answer($0, &config, &isAgreed, &parameters) }) {
    case APUS_OK.rawValue:
        guard isAgreed else { return .none }
        return .agreed(
            server: parameters.server_max_window_bits, client: parameters.client_max_window_bits,
            keepsServer: !parameters.server_no_context_takeover, keepsClient: !parameters.client_no_context_takeover)
    case let error:
        #expect(error == APUS_EEXTENSION.rawValue)
        return .refused
    }
}

struct ExtensionTests {
    private static let name = "permessage-deflate"

    // MARK: The grammar (RFC 6455 §9.1)

    @Test(arguments: [
        [], [""], ["foo"], ["foo, bar; baz=2"], ["foo", "bar"], ["a;b", "", "c;d=e;f"], [",, foo ,, bar ,"],
        ["foo ; x = y ;z"], [#"a; b="c""#], [#"a; b="\c\d""#], ["\tfoo\t;\tx"],
        ["deflate-stream", "mux; max-channels=4; flow-control, deflate-stream", "private-extension"],
    ])
    func `extensions are tokens with parameters, over one field or several`(values: [String]) throws {
        #expect(try head(values).ask(apus_handshake_check) == APUS_OK.rawValue)
    }

    @Test(arguments: [
        ["foo bar"], ["foo;"], [";foo"], ["foo; =x"], ["foo; x="], ["foo; x=,"], ["foo=x"], ["\"foo\""], ["foo; \"x\""],
        [#"a; b="""#], [#"a; b="c"#], [#"a; b="c\"#], [#"a; b="c d""#], [#"a; b="c,d""#], [#"a; b="c"d"#], ["a/b"],
        ["foo", "a b"], ["foo; x=\u{e9}"],
    ])
    func `whatever breaks the grammar is refused with the handshake`(values: [String]) throws {
        #expect(try head(values).ask(apus_handshake_check) == APUS_EHANDSHAKE.rawValue)
        #expect(try check(values) == .refused)
        #expect(try answer(values) == nil)
    }

    // MARK: A server's choice (RFC 7692 §7.1)

    @Test(arguments: [
        ("", ""), ("; client_max_window_bits", ""), ("; client_max_window_bits=15", ""),
        ("; client_max_window_bits=12", "; client_max_window_bits=12"),
        ("; client_max_window_bits=8", "; client_max_window_bits=8"),
        ("; server_max_window_bits=15", "; server_max_window_bits=15"),
        ("; server_max_window_bits=10", "; server_max_window_bits=10"),
        ("; server_max_window_bits=9", "; server_max_window_bits=9"),
        (#"; server_max_window_bits="1\0""#, "; server_max_window_bits=10"),
        ("; server_no_context_takeover", "; server_no_context_takeover"),
        ("; client_no_context_takeover", "; client_no_context_takeover"),
        (
            " ;client_max_window_bits=9;server_max_window_bits=11;client_no_context_takeover",
            "; client_no_context_takeover; server_max_window_bits=11; client_max_window_bits=9"
        ),
        (
            "; client_no_context_takeover; client_max_window_bits; server_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover"
        ),
    ])
    func `an offer is answered with what both can do`(offered: String, answered: String) throws {
        #expect(try answer([Self.name + offered]) == Self.name + answered)
    }

    @Test(arguments: [
        "; unknown", "; server_max_window_bits", "; server_max_window_bits=7", "; server_max_window_bits=16",
        "; server_max_window_bits=09", "; server_max_window_bits=010", "; server_max_window_bits=100",
        "; server_max_window_bits=+9", "; server_max_window_bits=9x", "; client_max_window_bits=7",
        "; client_max_window_bits=16", "; client_max_window_bits=0", "; client_max_window_bits=x",
        "; server_no_context_takeover=1", "; client_no_context_takeover=true", #"; client_no_context_takeover="1""#,
        "; server_no_context_takeover; server_no_context_takeover",
        "; client_max_window_bits; client_max_window_bits=9",
        "; server_max_window_bits=9; server_max_window_bits=9", "; SERVER_NO_CONTEXT_TAKEOVER",
        "; server_max_window_bits=8",
    ])
    func `an offer that is wrong, unknown, or needs a window that zlib lacks is declined, and the next one taken`(
        offered: String
    ) throws {
        #expect(try answer([Self.name + offered]) == nil)
        let second = Self.name + "; server_max_window_bits=12"
        #expect(try answer([Self.name + offered + ", " + second]) == second)
        #expect(try answer([Self.name + offered, "x-other; a=b", second + ", " + Self.name]) == second)
    }

    @Test func `other extensions are passed over`() throws {
        #expect(try answer([]) == nil)
        #expect(try answer(["x-webkit-deflate-frame", "permessage-bzip2; a", "permessage-deflate-2"]) == nil)
        #expect(try answer(["x-webkit-deflate-frame; permessage-deflate, \(Self.name)"]) == Self.name)
    }

    @Test func `the first offer that suits is taken, in the client's order`() throws {
        let offers = ["; client_max_window_bits=11", "; client_max_window_bits=12", ""].map { Self.name + $0 }
        #expect(try answer([offers.joined(separator: ", ")]) == offers[0])
        #expect(try answer(offers.reversed()) == Self.name)
    }

    @Test func `nothing is accepted while compression is off`() throws {
        #expect(try answer([Self.name], config(APUS_COMPRESSION_OFF)) == nil)
        #expect(offer(config(APUS_COMPRESSION_OFF)).isEmpty)
    }

    @Test func `without context takeover by configuration, the answer says so`() throws {
        let both = Self.name + "; server_no_context_takeover; client_no_context_takeover"
        #expect(try answer([Self.name], config(APUS_COMPRESSION_SHARED)) == both)
        let server = config { $0.server_no_context_takeover = true }
        #expect(try answer([Self.name], server) == Self.name + "; server_no_context_takeover")
        let client = config { $0.client_no_context_takeover = true }
        #expect(try answer([Self.name], client) == Self.name + "; client_no_context_takeover")
    }

    @Test(arguments: [
        ("", "; server_max_window_bits=11"),
        ("; server_max_window_bits=12", "; server_max_window_bits=11"),
        ("; server_max_window_bits=10", "; server_max_window_bits=10"),
        ("; client_max_window_bits", "; server_max_window_bits=11; client_max_window_bits=13"),
        ("; client_max_window_bits=14", "; server_max_window_bits=11; client_max_window_bits=13"),
        ("; client_max_window_bits=12", "; server_max_window_bits=11; client_max_window_bits=12"),
    ])
    func `windows are as small as either side wants, and the client's only where it said that it can`(
        offered: String, answered: String
    ) throws {
        let small = config {
            $0.server_max_window_bits = 11
            $0.client_max_window_bits = 13
        }
        #expect(try answer([Self.name + offered], small) == Self.name + answered)
    }

    // MARK: A client's offer, and its check of the answer

    @Test func `a client offers what it is configured for`() {
        #expect(offer(config()) == Self.name + "; client_max_window_bits")
        #expect(
            offer(config(APUS_COMPRESSION_SHARED))
                == Self.name + "; server_no_context_takeover; client_no_context_takeover; client_max_window_bits")
        let small = config {
            $0.server_max_window_bits = 9
            $0.client_max_window_bits = 10
            $0.client_no_context_takeover = true
        }
        #expect(
            offer(small)
                == Self.name + "; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=10")
    }

    @Test func `an answer without extensions leaves the connection without compression`() throws {
        #expect(try check([]) == .none)
        #expect(try check([], config(APUS_COMPRESSION_OFF)) == .none)
    }

    @Test func `an answer may say what RFC 7692 lets a server say unasked`() throws {
        let all: [(String, Verdict)] = [
            ("", .agreed(server: 15, client: 15, keepsServer: true, keepsClient: true)),
            ("; server_max_window_bits=8", .agreed(server: 8, client: 15, keepsServer: true, keepsClient: true)),
            ("; client_max_window_bits=8", .agreed(server: 15, client: 8, keepsServer: true, keepsClient: true)),
            ("; server_no_context_takeover", .agreed(server: 15, client: 15, keepsServer: false, keepsClient: true)),
            ("; client_no_context_takeover", .agreed(server: 15, client: 15, keepsServer: true, keepsClient: false)),
        ]
        for (said, verdict) in all { #expect(try check([Self.name + said]) == verdict, "\(said)") }
    }

    @Test(arguments: [
        ["permessage-bzip2"], [name, name], ["\(name), \(name)"], ["\(name), other"], ["\(name); unknown"],
        ["\(name); client_max_window_bits"], ["\(name); client_max_window_bits=16"],
        ["\(name); server_max_window_bits=7"], ["\(name); server_max_window_bits"],
        ["\(name); server_no_context_takeover=1"], ["\(name); client_no_context_takeover; client_no_context_takeover"],
    ])
    func `an answer that was not offered, or has a parameter wrong, fails the handshake`(values: [String]) throws {
        #expect(try check(values) == .refused)
    }

    @Test func `an extension that was never offered fails the handshake`() throws {
        #expect(try check([Self.name], config(APUS_COMPRESSION_OFF)) == .refused)
    }

    @Test func `what the offer demands must be in the answer`() throws {
        let shared = config(APUS_COMPRESSION_SHARED)
        #expect(try check([Self.name], shared) == .refused)
        #expect(
            try check([Self.name + "; server_no_context_takeover"], shared)
                == .agreed(server: 15, client: 15, keepsServer: false, keepsClient: false))
        let small = config { $0.server_max_window_bits = 10 }
        #expect(try check([Self.name], small) == .refused)
        #expect(try check([Self.name + "; server_max_window_bits=11"], small) == .refused)
        #expect(
            try check([Self.name + "; server_max_window_bits=9"], small)
                == .agreed(server: 9, client: 15, keepsServer: true, keepsClient: true))
        let own = config { $0.client_max_window_bits = 10 }
        #expect(try check([Self.name + "; client_max_window_bits=11"], own) == .refused)
        #expect(try check([Self.name], own) == .agreed(server: 15, client: 10, keepsServer: true, keepsClient: true))
    }

    @Test func `whatever a client offers, a server's answer to it is one that the client takes`() throws {
        let modes = [APUS_COMPRESSION_SHARED, APUS_COMPRESSION_DEDICATED]
        for (clientMode, serverMode) in modes.flatMap({ mode in modes.map { (mode, $0) } }) {
            for bits in UInt8(9)...15 {
                let client = config(clientMode) {
                    $0.server_max_window_bits = bits
                    $0.client_max_window_bits = 24 - bits
                }
                let server = config(serverMode) { $0.server_max_window_bits = 12 }
                let answered = try #require(try answer([offer(client)], server))
                #expect(try check([answered], client) != .refused, "\(answered)")
            }
        }
    }

    @Test func `levels and window bits out of their range are refused`() {
        let wrong: [(inout apus_compression_config) -> Void] = [
            { $0.level = 0 }, { $0.level = 10 }, { $0.server_max_window_bits = 8 }, { $0.client_max_window_bits = 8 },
            { $0.server_max_window_bits = 16 }, { $0.client_max_window_bits = 16 },
        ]
        for change in wrong {
            var config = config(APUS_COMPRESSION_SHARED, change)
            #expect(apus_compression_config_check(&config) == APUS_EINVAL.rawValue)
        }
        var config = config()
        #expect(apus_compression_config_check(&config) == APUS_OK.rawValue)
    }
}
