import Apus
import Testing

@testable import ApusSocketIO

struct SessionMachineTests {
    private typealias Machine = SessionMachine
    private static let start = ContinuousClock.now

    private static func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

    private static func machine(_ transport: SessionMachine.Transport = .polling) -> SessionMachine {
        var limits = SessionMachine.Limits()
        limits.pingInterval = .milliseconds(300)
        limits.pingTimeout = .milliseconds(200)
        limits.upgradeTimeout = .seconds(1)
        limits.queuedBytes = 300
        return SessionMachine(transport: transport, limits: limits, now: start)
    }

    private static func upgraded() -> SessionMachine {
        var machine = machine()
        _ = machine.probeCame(now: start)
        machine.probeSent("2probe")
        machine.probeSent("5")
        _ = machine.takeActions()
        return machine
    }

    @Test func `what is sent waits for a poll, and a poll for what is sent`() {
        var machine = Self.machine()
        #expect(machine.send(["4a", .binary([1])]) == .sent)
        #expect(machine.send(["4b"]) == .sent)
        #expect(machine.poll(now: Self.start) == .answer(["4a", .binary([1]), "4b"]))
        #expect(machine.poll(now: Self.start) == .hang)
        #expect(machine.isWritable)
        #expect(machine.send(["4c"]) == .sent)
        #expect(machine.takeActions() == [.answerPoll(["4c"])])
        #expect(!machine.isWritable)
    }

    @Test func `the queue has a limit, but for one that is larger alone`() {
        var machine = Self.machine()
        #expect(machine.send([.text(String(repeating: "x", count: 400))]) == .sent)
        #expect(machine.send(["4"]) == .full)
        _ = machine.poll(now: Self.start)
        #expect(machine.send(["4"]) == .sent)
    }

    @Test func `the queue's limit counts what a small message takes up beside its bytes`() {
        var machine = Self.machine()
        let fitting = 300 / (SessionMachine.messageOverhead + 1)
        for _ in 0..<fitting { #expect(machine.send(["4"]) == .sent) }
        #expect(machine.send(["4"]) == .full)
        #expect(machine.queuedBytes == fitting * (SessionMachine.messageOverhead + 1))
        _ = machine.poll(now: Self.start)
        #expect(machine.queuedBytes == 0)
    }

    @Test func `pings are counted from the handshake and from pongs, however late the timer`() {
        var machine = Self.machine(.webSocket)
        #expect(machine.deadline == Self.at(300))
        machine.tick(now: Self.at(299))
        #expect(machine.takeActions() == [])
        machine.tick(now: Self.at(340))
        #expect(machine.takeActions() == [.send(["2"])])
        #expect(machine.deadline == Self.at(500))
        machine.received("3", now: Self.at(400))
        #expect(machine.deadline == Self.at(700))
        machine.tick(now: Self.at(900))
        #expect(machine.takeActions() == [.send(["2"]), .closeWebSocket, .end(.pingTimeout)])
        #expect(machine.isClosed)
        #expect(machine.deadline == nil)
    }

    @Test func `a poll that comes too late finds the session over, though no timer has said so`() {
        var machine = Self.machine()
        #expect(machine.poll(now: Self.at(500)) == .refuse)
        #expect(machine.takeActions() == [.end(.pingTimeout)])
    }

    @Test func `a pong that nobody asked for changes nothing`() {
        var machine = Self.machine(.webSocket)
        machine.received("3", now: Self.at(100))
        #expect(machine.deadline == Self.at(300))
    }

    @Test func `a second poll ends the first, itself and the session`() {
        var machine = Self.machine()
        _ = machine.poll(now: Self.start)
        #expect(machine.poll(now: Self.start) == .refuse)
        #expect(machine.takeActions() == [.answerPoll(["1"]), .end(.transportError)])
    }

    @Test func `a poll whose connection is gone ends the session, but not one that was answered`() {
        var machine = Self.machine()
        machine.pollGone()
        #expect(machine.takeActions() == [])
        _ = machine.poll(now: Self.start)
        machine.pollGone()
        #expect(machine.takeActions() == [.end(.transportClose)])
    }

    @Test func `a client that closes ends its poll with a noop`() {
        var machine = Self.machine()
        _ = machine.poll(now: Self.start)
        #expect(machine.post([.text("a"), .close, .text("b")], now: Self.start) == true)
        #expect(machine.takeActions() == [.deliver("a"), .answerPoll(["6"]), .end(.transportClose)])
    }

    @Test func `content that is no payload ends the session`() {
        var machine = Self.machine()
        #expect(machine.post(nil, now: Self.start) == false)
        #expect(machine.takeActions() == [.end(.parseError)])
        #expect(machine.post([.text("a")], now: Self.start) == false)
    }

    @Test func `the server's close is told by the poll that hangs, or by the next one`() {
        var machine = Self.machine()
        _ = machine.poll(now: Self.start)
        machine.close(.forcedClose, now: Self.start)
        #expect(machine.takeActions() == [.answerPoll(["1"]), .end(.forcedClose)])
        machine = Self.machine()
        _ = machine.send(["4last"])
        machine.close(.forcedClose, now: Self.start)
        #expect(machine.takeActions() == [.end(.forcedClose)])
        #expect(machine.deadline == Self.start + .seconds(30))
        #expect(machine.send(["4more"]) == .closed)
        // A client drops what comes together with a close.
        #expect(machine.poll(now: Self.at(10)) == .answer(["4last"]))
        #expect(machine.deadline == Self.at(10) + .seconds(30))
        #expect(machine.post([.pong(""), .text("late")], now: Self.at(20)) == true)
        #expect(machine.takeActions() == [])
        #expect(machine.poll(now: Self.at(20)) == .answer(["1"]))
        #expect(machine.isClosed)
    }

    @Test func `a close that nobody asks about is forgotten`() {
        var machine = Self.machine()
        machine.close(.forcedClose, now: Self.start)
        machine.tick(now: Self.start + .seconds(30))
        #expect(machine.isClosed)
    }

    @Test func `an upgrade moves what waits, and refuses the poll that is held`() {
        var machine = Self.machine()
        _ = machine.poll(now: Self.start)
        #expect(machine.probeCame(now: Self.start) == true)
        machine.probeSent("2probe")
        #expect(machine.takeActions() == [.sendOnProbe("3probe"), .answerPoll(["6"])])
        #expect(machine.poll(now: Self.start) == .hang)
        machine.probeSent("5")
        #expect(machine.takeActions() == [.refusePoll, .adoptProbe])
        #expect(machine.poll(now: Self.start) == .refuse)
        #expect(machine.send(["4"]) == .write)
        #expect(machine.post([.text("a")], now: Self.start) == false)
    }

    @Test func `a held poll gets what is sent, or a noop after a while`() {
        var machine = Self.machine()
        _ = machine.probeCame(now: Self.start)
        machine.probeSent("2probe")
        _ = machine.takeActions()
        #expect(machine.poll(now: Self.start) == .hang)
        #expect(machine.deadline == Self.at(100))
        _ = machine.send(["4a"])
        #expect(machine.takeActions() == [.answerPoll(["4a"])])
        #expect(machine.poll(now: Self.at(50)) == .hang)
        machine.tick(now: Self.at(150))
        #expect(machine.takeActions() == [.answerPoll(["6"])])
    }

    @Test func `what waits at the upgrade goes by the WebSocket`() {
        var machine = Self.machine()
        _ = machine.probeCame(now: Self.start)
        machine.probeSent("2probe")
        _ = machine.send(["4a"])
        _ = machine.send([.binary([1])])
        machine.probeSent("5")
        #expect(machine.takeActions() == [.sendOnProbe("3probe"), .adoptProbe, .send(["4a", .binary([1])])])
    }

    @Test(arguments: ["5", "4a", "2", "x", .binary([1])] as [Message])
    func `anything but a probe closes the WebSocket and not the session`(message: Message) {
        var machine = Self.machine()
        _ = machine.probeCame(now: Self.start)
        machine.probeSent(message)
        #expect(machine.takeActions() == [.closeProbe])
        #expect(machine.probeCame(now: Self.start) == true)
    }

    @Test func `there is one probe at a time, none after the upgrade, and it has its time`() {
        var machine = Self.machine()
        #expect(machine.probeCame(now: Self.start) == true)
        #expect(machine.probeCame(now: Self.start) == false)
        machine.probeGone()
        #expect(machine.probeCame(now: Self.start) == true)
        machine.probeSent("2probe")
        _ = machine.takeActions()
        _ = machine.post([.pong("")], now: Self.start)
        machine.tick(now: Self.at(300))
        _ = machine.post([.pong("")], now: Self.at(300))
        machine.tick(now: Self.at(600))
        _ = machine.post([.pong("")], now: Self.at(600))
        machine.tick(now: Self.at(900))
        _ = machine.post([.pong("")], now: Self.at(900))
        machine.tick(now: Self.at(1000))
        #expect(machine.takeActions() == [.closeProbe])
        var upgraded = Self.upgraded()
        #expect(upgraded.probeCame(now: Self.start) == false)
    }

    @Test(arguments: ["", "7", "abc"] as [Message])
    func `a WebSocket message that is no packet ends the session`(message: Message) {
        var machine = Self.upgraded()
        machine.received(message, now: Self.start)
        #expect(machine.takeActions() == [.closeWebSocket, .end(.parseError)])
    }

    @Test func `what comes after the end is for nobody`() {
        var machine = Self.upgraded()
        machine.received("1", now: Self.start)
        #expect(machine.takeActions() == [.closeWebSocket, .end(.transportClose)])
        machine.received("4a", now: Self.start)
        machine.webSocketGone(.transportClose)
        machine.close(.forcedClose, now: Self.start)
        machine.fail(.transportError)
        machine.tick(now: Self.at(9999))
        #expect(machine.takeActions() == [])
    }

    @Test func `a probe goes with its session`() {
        var machine = Self.machine()
        _ = machine.probeCame(now: Self.start)
        machine.close(.forcedClose, now: Self.start)
        #expect(machine.takeActions() == [.closeProbe, .end(.forcedClose)])
    }

    // The server closes, with something queued, at each step of an upgrade: nothing is lost, and nothing comes together
    // with the close.

    @Test func `before its probe is answered a client polls on, and gets what is queued and then the close`() {
        var machine = Self.machine()
        _ = machine.probeCame(now: Self.start)
        _ = machine.send(["4last"])
        machine.close(.forcedClose, now: Self.start)
        #expect(machine.takeActions() == [.closeProbe, .end(.forcedClose)])
        machine.probeSent("2probe")
        #expect(machine.takeActions() == [])
        #expect(machine.poll(now: Self.start) == .answer(["4last"]))
        #expect(machine.poll(now: Self.start) == .answer(["1"]))
        #expect(machine.isClosed)
    }

    @Test func `a client whose probe was answered gets what is queued by its WebSocket, once it has upgraded`() {
        var machine = Self.machine()
        _ = machine.probeCame(now: Self.start)
        machine.probeSent("2probe")
        _ = machine.send(["4a"])
        _ = machine.send(["4b", .binary([1])])
        machine.close(.forcedClose, now: Self.start)
        #expect(machine.takeActions() == [.sendOnProbe("3probe"), .end(.forcedClose)])
        #expect(machine.deadline == Self.at(1000))
        machine.probeSent("5")
        #expect(
            machine.takeActions() == [
                .sendOnProbe("4a"), .sendOnProbe("4b"), .sendOnProbe(.binary([1])), .closeProbe,
            ])
        #expect(machine.isClosed)
    }

    @Test func `a client that polls once more before it upgrades gets what is queued by the poll`() {
        var machine = Self.machine()
        _ = machine.probeCame(now: Self.start)
        machine.probeSent("2probe")
        _ = machine.send(["4a"])
        machine.close(.forcedClose, now: Self.start)
        _ = machine.takeActions()
        #expect(machine.poll(now: Self.start) == .answer(["4a"]))
        machine.probeSent("5")
        #expect(machine.takeActions() == [.closeProbe])
        #expect(machine.isClosed)
    }

    @Test func `a poll that is held gets what is sent, and the close comes behind it`() {
        var machine = Self.machine()
        _ = machine.probeCame(now: Self.start)
        machine.probeSent("2probe")
        _ = machine.takeActions()
        #expect(machine.poll(now: Self.start) == .hang)
        _ = machine.send(["4a"])
        machine.close(.forcedClose, now: Self.start)
        #expect(machine.takeActions() == [.answerPoll(["4a"]), .end(.forcedClose)])
        #expect(machine.poll(now: Self.start) == .answer(["1"]))
        #expect(machine.takeActions() == [.closeProbe])
    }

    @Test func `an upgrade that never ends gives way to polls, and these to time`() {
        var machine = Self.machine()
        _ = machine.probeCame(now: Self.start)
        machine.probeSent("2probe")
        _ = machine.send(["4a"])
        machine.close(.forcedClose, now: Self.start)
        _ = machine.takeActions()
        machine.tick(now: Self.at(1000))
        #expect(machine.takeActions() == [.closeProbe])
        #expect(machine.deadline == Self.start + .seconds(30))
        #expect(machine.poll(now: Self.at(1000)) == .answer(["4a"]))
        machine.tick(now: Self.at(31_000))
        #expect(machine.isClosed)
    }

    @Test func `a probe that goes while the session leaves changes nothing for polls`() {
        var machine = Self.machine()
        _ = machine.probeCame(now: Self.start)
        machine.probeSent("2probe")
        _ = machine.send(["4a"])
        machine.close(.forcedClose, now: Self.start)
        machine.probeGone()
        #expect(machine.poll(now: Self.start) == .answer(["4a"]))
        #expect(machine.poll(now: Self.start) == .answer(["1"]))
    }

    @Test func `what a client posts while its session leaves is left out, but its goodbye counts`() {
        var machine = Self.machine()
        _ = machine.send(["4a"])
        machine.close(.forcedClose, now: Self.start)
        _ = machine.takeActions()
        #expect(machine.post([.text("late"), .pong("")], now: Self.start) == true)
        #expect(machine.post(nil, now: Self.start) == false)
        #expect(machine.takeActions() == [])
        #expect(machine.post([.close], now: Self.start) == true)
        #expect(machine.isClosed)
    }

    @Test func `what is sent last has room in a full queue`() {
        var machine = Self.machine()
        _ = machine.send([.text(String(repeating: "x", count: 299 - SessionMachine.messageOverhead))])
        #expect(machine.send(["4x"]) == .full)
        #expect(machine.send(["41"], isLast: true) == .sent)
    }

    @Test func `a pong is due from the ping until it comes`() {
        var machine = Self.machine(.webSocket)
        #expect(!machine.isPongDue)
        machine.tick(now: Self.at(300))
        #expect(machine.isPongDue)
        machine.received("4a", now: Self.at(310))
        #expect(machine.isPongDue)
        machine.received("3", now: Self.at(320))
        #expect(!machine.isPongDue)
        machine.tick(now: Self.at(620))
        machine.tick(now: Self.at(820))
        #expect(!machine.isPongDue && machine.isClosed)
    }
}
