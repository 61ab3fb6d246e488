import CApusCore
import TestSupport
import Testing

private func address(_ text: String) -> apus_ip? {
    var ip = apus_ip()
    return withText(text) { apus_ip_parse(&ip, $0) } ? ip : nil
}

private func bytes(of ip: apus_ip) -> [UInt8] { withUnsafeBytes(of: ip) { Array($0) } }

private func text(of ip: apus_ip) -> String {
    var ip = ip
    var text = [CChar](repeating: 1, count: Int(APUS_IP_TEXT_SIZE))
    let count = apus_ip_write(&ip, &text)
    #expect(text[count] == 0)
    return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

private func parsed(_ text: String) -> apus_ip_range? {
    var range = apus_ip_range()
    return withText(text) { apus_ip_range_parse(&range, $0) } ? range : nil
}

struct IPTests {
    @Test(arguments: [
        ("0.0.0.0", "0.0.0.0"), ("127.0.0.1", "127.0.0.1"), ("255.255.255.255", "255.255.255.255"),
        ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:DB8::0:1", "2001:db8::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("::ffff:c000:201", "192.0.2.1"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("fe80::1", "fe80::1"), ("::1.2.3.4", "::102:304"),
    ])
    func `an address is written as RFC 5952 has it`(input: String, output: String) throws {
        #expect(try text(of: #require(address(input))) == output)
    }

    @Test(arguments: [
        "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.04", "1..3.4", ".1.2.3", "1.2.3.", "1.2.3.4 ",
        " 1.2.3.4", "1.2.3.a", "-1.2.3.4", "0x1.2.3.4", ":", ":::", "1:", ":1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
        "1::2::3", "::1::", "1:2:3:4:5:6:7:8::", "12345::", "g::", "::1%eth0", "[::1]", "1:2:3:4:5:6:7:1.2.3.4",
        "::1.2.3", "1.2.3.4::", "::1.2.3.4:5", "1:2:3:4:5:6:7:8:", "::12345", "1:2:3:4:5:6:1.2.3.4.5",
    ])
    func `another text is no address`(text: String) {
        #expect(address(text) == nil)
    }

    @Test func `an IPv4 address is the one it is mapped to`() throws {
        let ip = try #require(address("192.0.2.1"))
        #expect(bytes(of: ip) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1])
        #expect(withUnsafePointer(to: ip) { apus_ip_is_v4($0) })
        #expect(bytes(of: apus_ip_from_v4([192, 0, 2, 1])) == bytes(of: ip))
        #expect(try withUnsafePointer(to: #require(address("::1"))) { !apus_ip_is_v4($0) })
    }

    @Test func `every address that is written is read as the same`() throws {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<2000 {
            var ip = apus_ip()
            withUnsafeMutableBytes(of: &ip) { bytes in
                for index in bytes.indices where Bool.random(using: &generator) {
                    bytes[index] = UInt8.random(in: 0...255, using: &generator)
                }
            }
            #expect(try bytes(of: #require(address(text(of: ip)))) == bytes(of: ip))
        }
    }

    @Test(arguments: [
        ("127.0.0.0/8", "127.1.2.3", true), ("127.0.0.0/8", "128.0.0.0", false), ("10.2.0.0/15", "10.1.2.3", false),
        ("10.0.0.0/15", "10.1.2.3", true), ("10.0.0.0/15", "10.2.0.0", false), ("0.0.0.0/0", "1.2.3.4", true),
        ("0.0.0.0/0", "::1", false), ("::/0", "1.2.3.4", true), ("::/0", "2001:db8::1", true),
        ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false), ("192.0.2.1/32", "192.0.2.1", true),
        ("192.0.2.1", "::ffff:192.0.2.1", true), ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::1", false), ("2001:db8::/29", "2001:dbf::1", true), ("::1/128", "::1", true),
    ])
    func `a range holds what begins like it`(text: String, other: String, isHeld: Bool) throws {
        let range = try #require(parsed(text))
        let ip = try #require(address(other))
        withUnsafePointer(to: range) { range in
            withUnsafePointer(to: ip) { ip in
                #expect(apus_ip_range_holds(range, ip) == isHeld)
                #expect(apus_ip_is_in(ip, range, 1) == isHeld)
                #expect(!apus_ip_is_in(ip, nil, 0))
            }
        }
    }

    @Test(arguments: [
        "", "/", "/8", "127.0.0.0/", "127.0.0.0/33", "127.0.0.0/08", "127.0.0.0/-1", "127.0.0.0/8/8", "127.0.0.0/a",
        "127.0.0.1/8", "10.128.0.0/8", "::/129", "::/256", "2001:db8::1/64", "::1/127", "localhost", "127.0.0.0 /8",
    ])
    func `another text is no range, also where a bit behind the prefix is set`(text: String) {
        #expect(parsed(text) == nil)
    }
}
