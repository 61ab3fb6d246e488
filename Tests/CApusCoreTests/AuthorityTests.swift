import CApusCore
import Testing

struct AuthorityTests {
    @Test(arguments: [
        "example.org", "EXAMPLE.org", "a", "localhost", "127.0.0.1", "999.999.999.999", "a-b_c~d.e", "!$&'()*+,;=",
        "%41%5a%7E",
        "a%20b", "xn--bcher-kva.example", "example.org.", "",
    ])
    func `a host is a registered name or an IPv4 address, or empty`(host: String) throws {
        #expect(try ParsedHead(request(host: host)).values("Host") == [host])
    }

    @Test(arguments: ["0", "1", "80", "00080", "65535", ""])
    func `digits of a port may follow, up to 65535`(port: String) {
        #expect(parse(request(host: "example.org:\(port)")) == APUS_OK)
        #expect(parse(request(host: "[::1]:\(port)")) == APUS_OK)
    }

    @Test(arguments: [
        "65536", "99999", "4294967376", "18446744073709551696", "-1", "+80", "80a", "a", " 80", "8 0", "80:80", ":",
        "0x50",
    ])
    func `another port is refused`(port: String) {
        #expect(parse(request(host: "example.org:\(port)")) == APUS_EHOST)
        #expect(parse(request(host: "[::1]:\(port)")) == APUS_EHOST)
    }

    @Test(arguments: [
        "a b", "a/b", "a?b", "a#b", "a@b", "user:pw@a", "http://a", "a\\b", "a\"b", "<a>", "a|b", "a^b", "a`b", "{a}",
        "a,b c",
        "b\u{fc}cher.example", "%", "%4", "%4g", "%g4", "a%", "a%2", "%%41", ":80", ":", "a\tb",
    ])
    func `what is no host is refused`(host: String) {
        #expect(parse(request(host: host)) == APUS_EHOST)
    }

    @Test(arguments: [
        "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1::8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2::7:8", "FE80::abcd",
        "2001:0db8:0000:0000:0000:0000:0000:0001", "::ffff:192.0.2.1", "1:2:3:4:5:6:192.0.2.1", "64:ff9b::0.0.0.0",
        "::255.255.255.255",
    ])
    func `an IPv6 address stands in brackets`(address: String) {
        #expect(parse(request(host: "[\(address)]")) == APUS_OK)
        #expect(parse(request(host: "[\(address)]:80")) == APUS_OK)
        #expect(parse(request(host: address)) == APUS_EHOST)
    }

    @Test(arguments: [
        "", ":", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1::2::3", ":::",
        "1:::2", ":1::", "1:", "::1:", ":1:2:3:4:5:6:7:8", "12345::", "g::", "::-1", "fe80::1%25eth0", "v1.a",
        "1.2.3.4",
        "::1.2.3", "::1.2.3.4.5", "::1.2.3.", "::.1.2.3", "::256.0.0.1", "::1.2.3.04", "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::1.2.3.1234", "::a.2.3.4", "::1..2.3", " ::1", "::1 ", "example.org",
    ])
    func `what is no IPv6 address is refused`(address: String) {
        #expect(parse(request(host: "[\(address)]")) == APUS_EHOST)
    }

    @Test(arguments: ["[::1", "::1]", "[", "]", "[]", "[::1]a", "[::1]]", "[[::1]]", "[::1]80", "[::1] :80", "a[::1]"])
    func `brackets stand in pairs, and nothing but a port behind them`(host: String) {
        #expect(parse(request(host: host)) == APUS_EHOST)
    }

    @Test func `HTTP/1.1 asks for exactly one Host`() {
        #expect(parse(request(host: nil)) == APUS_EHOST)
        #expect(parse(request("Host: example.org")) == APUS_EHOST)
        #expect(parse(request("host: other.example")) == APUS_EHOST)
    }

    @Test func `HTTP/1.0 asks for at most one Host`() {
        let line = "GET / HTTP/1.0"
        #expect(parse(request(line: line, host: nil)) == APUS_OK)
        #expect(parse(request(line: line)) == APUS_OK)
        #expect(parse(request("Host: example.org", line: line)) == APUS_EHOST)
        #expect(parse(request(line: line, host: "a b")) == APUS_EHOST)
    }
}
