import Testing

@testable import Chat

@Suite struct RoomMakersTests {
    private let now = ContinuousClock.now

    @Test func `an address makes 20 rooms at once, then six a minute, whatever others do`() {
        var makers = RoomMakers()
        let made = (1...25).count { _ in makers.mayMake(from: "192.0.2.1", now: now) }
        #expect(made == 20)
        let other = makers.mayMake(from: "192.0.2.2", now: now)
        #expect(other)
        let later = now.advanced(by: .seconds(61))
        let more = (1...10).count { _ in makers.mayMake(from: "192.0.2.1", now: later) }
        #expect(more == 6)
    }

    @Test func `addresses of one IPv6 network count as one`() {
        var makers = RoomMakers()
        let made = (1...40).count { makers.mayMake(from: "2001:db8:1:2::\($0)", now: now) }
        #expect(made == 20)
        let other = makers.mayMake(from: "2001:db8:1:3::1", now: now)
        #expect(other)
    }

    @Test func `what is remembered of addresses is bounded, and forgotten when it no longer matters`() {
        var makers = RoomMakers()
        let addresses = (0..<RoomMakers.mostAddresses).map { "10.0.\($0 / 256).\($0 % 256)" }
        for address in addresses { _ = makers.mayMake(from: address, now: now) }
        let strangers = (1...30).count { makers.mayMake(from: "192.0.2.\($0)", now: now) }
        #expect(strangers == 20)
        #expect(makers.count == RoomMakers.mostAddresses)
        _ = makers.mayMake(from: "192.0.2.1", now: now.advanced(by: .seconds(3_600)))
        #expect(makers.count == 1)
    }
}
