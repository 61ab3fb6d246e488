import CApusCore
import Testing

/// What the proxies told, as a test writes it.
private struct Told: Equatable {
    var client: String?
    var port: UInt16 = 0
    var scheme = APUS_SCHEME_UNKNOWN
    var host = ""
}

/// The proxies of these tests.
private let trusted: [apus_ip_range] = ["127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32"].map { text in
    var range = apus_ip_range()
    guard withText(text, { apus_ip_range_parse(&range, $0) }) else { fatalError("\(text) is a range") }
    return range
}

private func withForwarded<T>(
    _ fields: [String], _ forwarding: apus_forwarding,
    _ body: (UnsafePointer<apus_forwarded>, UnsafePointer<apus_head>) -> T
) throws -> T {
    let text = (["GET / HTTP/1.1", "Host: inside"] + fields + ["", ""]).joined(separator: "\r\n")
    let head = try ParsedHead(text)
    return try head.ask { head in
        withUnsafeTemporaryAllocation(of: apus_forwarded.self, capacity: 1) { room -> Result<T, any Error> in
            guard let forwarded = room.baseAddress else { fatalError("there is room for one") }
            let error = apus_forwarded_read(forwarded, head, forwarding, trusted, trusted.count)
            guard error == 0 else { return .failure(CoreError(code: apus_error(rawValue: error))) }
            return .success(body(forwarded, head))
        }
    }.get()
}

private func read(_ fields: [String], _ forwarding: apus_forwarding) throws -> Told {
    try withForwarded(fields, forwarding) { forwarded, _ in
        var told = Told(
            port: forwarded.pointee.port, scheme: forwarded.pointee.scheme, host: forwarded.pointee.host.string)
        if forwarded.pointee.has_client {
            var text = [CChar](repeating: 0, count: Int(APUS_IP_TEXT_SIZE))
            var ip = forwarded.pointee.client
            let count = apus_ip_write(&ip, &text)
            told.client = String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        return told
    }
}

private func x(_ fields: String...) throws -> Told { try read(fields, APUS_FORWARDING_X) }
private func rfc(_ values: String...) throws -> Told {
    try read(values.map { "Forwarded: \($0)" }, APUS_FORWARDING_RFC7239)
}

private func isRefused(_ body: () throws -> Void) -> Bool {
    do {
        try body()
        return false
    } catch let error as CoreError {
        return error.code == APUS_EFORWARDED
    } catch {
        return false
    }
}

struct ForwardedTests {
    @Test func `the address that the one proxy adds is the client's`() throws {
        #expect(try x("X-Forwarded-For: 192.0.2.1") == Told(client: "192.0.2.1"))
        #expect(try rfc("for=192.0.2.1") == Told(client: "192.0.2.1"))
    }

    @Test(arguments: [
        "6.6.6.6, 192.0.2.1", "garbage, 192.0.2.1", "127.0.0.1, 192.0.2.1", "\"6.6.6.6, 192.0.2.1", ",,192.0.2.1,",
    ])
    func `what the client itself wrote is not believed`(value: String) throws {
        #expect(try x("X-Forwarded-For: \(value)") == Told(client: "192.0.2.1"))
    }

    @Test func `it is not believed in a field of its own either`() throws {
        #expect(try x("X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 192.0.2.1") == Told(client: "192.0.2.1"))
        #expect(try rfc("for=6.6.6.6;proto=https;host=evil", "for=192.0.2.1") == Told(client: "192.0.2.1"))
    }

    @Test func `addresses of trusted proxies lead on to the one on their left`() throws {
        #expect(try x("X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.0.0.2, 127.0.0.1") == Told(client: "192.0.2.1"))
        #expect(try rfc("for=6.6.6.6, for=192.0.2.1, for=\"[2001:db8::7]\", for=10.1.1.1") == Told(client: "192.0.2.1"))
    }

    @Test func `where all are trusted the first one is the client`() throws {
        #expect(try x("X-Forwarded-For: 10.0.0.9, 10.0.0.2") == Told(client: "10.0.0.9"))
    }

    @Test(arguments: ["unknown", "_hidden", "garbage", "1.2.3", "[::1", "[1.2.3.4]", "::1]"])
    func `a client that a trusted proxy cannot name has no address, nor has who stands left of it`(name: String) throws
    {
        #expect(try x("X-Forwarded-For: 6.6.6.6, \(name), 10.0.0.2") == Told())
    }

    @Test(arguments: [
        ("192.0.2.1:80", "192.0.2.1", 80), ("[2001:db9::1]", "2001:db9::1", 0),
        ("[2001:db9::1]:65535", "2001:db9::1", 65535),
        ("2001:db9::1", "2001:db9::1", 0), ("192.0.2.1:_x", "192.0.2.1", 0), ("192.0.2.1:65536", "192.0.2.1", 0),
        ("::ffff:192.0.2.1", "192.0.2.1", 0),
    ])
    func `a port may stand with the address`(text: String, client: String, port: UInt16) throws {
        #expect(try x("X-Forwarded-For: \(text)") == Told(client: client, port: port))
    }

    @Test func `scheme and host are those of the client's own proxy`() throws {
        let fields = [
            "X-Forwarded-For: 192.0.2.1, 10.0.0.2", "X-Forwarded-Proto: https, http", "X-Forwarded-Host: a, b",
        ]
        #expect(
            try read(fields, APUS_FORWARDING_X)
                == Told(client: "192.0.2.1", scheme: APUS_SCHEME_HTTPS, host: "a"))
        #expect(
            try rfc("host=evil, for=192.0.2.1;proto=https;host=a, for=10.0.0.2;proto=http;host=b")
                == Told(client: "192.0.2.1", scheme: APUS_SCHEME_HTTPS, host: "a"))
    }

    @Test func `scheme and host that a proxy has set for itself are the last ones`() throws {
        #expect(
            try x("X-Forwarded-For: 192.0.2.1, 10.0.0.2", "X-Forwarded-Proto: https", "X-Forwarded-Host: a:8080")
                == Told(client: "192.0.2.1", scheme: APUS_SCHEME_HTTPS, host: "a:8080"))
        #expect(try x("X-Forwarded-Proto: https, http") == Told(scheme: APUS_SCHEME_HTTP))
    }

    @Test(arguments: [
        ("https", APUS_SCHEME_HTTPS), ("WSS", APUS_SCHEME_HTTPS), ("http", APUS_SCHEME_HTTP), ("ws", APUS_SCHEME_HTTP),
        ("ftp", APUS_SCHEME_UNKNOWN),
    ])
    func `ws and wss are http and https`(proto: String, scheme: apus_scheme) throws {
        #expect(try x("X-Forwarded-Proto: \(proto)").scheme == scheme)
        #expect(try rfc("proto=\(proto)").scheme == scheme)
    }

    @Test(arguments: [
        "For=192.0.2.1", "for=\"192.0.2.1\"", "by=10.0.0.1;for=192.0.2.1", "for=192.0.2.1;by=10.0.0.1",
        ";for=192.0.2.1;",
        "for=192.0.2.1 ; proto=ftp", "a=\"x,y;z\\\"\";for=192.0.2.1", ", ,for=192.0.2.1,", "for=\"192.0.2.1:_p\"",
    ])
    func `the grammar of RFC 7239 §4 is read`(value: String) throws {
        #expect(try rfc(value) == Told(client: "192.0.2.1"))
    }

    @Test(arguments: [
        "for", "for=", "=a", "for =a", "for= a", "for=a b", "for=\"a", "for=\"a\\\"", "for=a;for=b", "for=[::1]",
        "host=\"a b\"", "host=\"a:b\"", "for=a\"b\"", "for=a;;=", "\"", "for=1.2.3.4, for=\"6.6.6.6",
    ])
    func `a field that is not of it is refused`(value: String) {
        #expect(isRefused { _ = try rfc(value) })
        #expect(isRefused { _ = try rfc("for=192.0.2.1", value) })
    }

    @Test(arguments: ["a b", "a/b", "user@a", "a:99999", "[::1"])
    func `a host that is none is refused`(host: String) {
        #expect(isRefused { _ = try x("X-Forwarded-Host: \(host)") })
        #expect(isRefused { _ = try rfc("host=\"\(host)\"") })
    }

    @Test func `the fields that the proxies do not set are not read`() throws {
        #expect(try read(["Forwarded: for=6.6.6.6;host=\"a b"], APUS_FORWARDING_X) == Told())
        #expect(try read(["X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https"], APUS_FORWARDING_RFC7239) == Told())
        #expect(try read(["X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6"], APUS_FORWARDING_NONE) == Told())
    }

    @Test(arguments: [
        ("https://a", ["X-Forwarded-Host: a", "X-Forwarded-Proto: https"], true),
        ("https://a", ["X-Forwarded-Host: a:443", "X-Forwarded-Proto: https"], true),
        ("https://a:8443", ["X-Forwarded-Host: a:8443", "X-Forwarded-Proto: https"], true),
        ("http://a", ["X-Forwarded-Host: a", "X-Forwarded-Proto: https"], false),
        ("https://a", ["X-Forwarded-Host: a", "X-Forwarded-Proto: http"], false),
        ("https://b", ["X-Forwarded-Host: a", "X-Forwarded-Proto: https"], false),
        ("https://a", ["X-Forwarded-Host: a"], true), ("http://a", ["X-Forwarded-Host: a"], true),
        ("https://inside", ["X-Forwarded-Host: a"], false),
        ("https://inside", ["X-Forwarded-Proto: https"], true), ("http://inside", ["X-Forwarded-Proto: https"], false),
        ("http://inside", [], true), ("null", ["X-Forwarded-Host: a"], false),
    ])
    func `a page is of the same origin as what the client asked for`(origin: String, fields: [String], isSame: Bool)
        throws
    {
        let isFound = try withForwarded(fields + ["Origin: \(origin)"], APUS_FORWARDING_X) {
            apus_forwarded_is_same_origin($0, $1)
        }
        #expect(isFound == isSame)
    }

    @Test func `without Origin it is no page, and with two it is none that passes`() throws {
        #expect(try withForwarded(["X-Forwarded-Host: a"], APUS_FORWARDING_X) { apus_forwarded_is_same_origin($0, $1) })
        let twice = ["Origin: http://inside", "Origin: http://inside"]
        #expect(try withForwarded(twice, APUS_FORWARDING_X) { !apus_forwarded_is_same_origin($0, $1) })
    }
}
