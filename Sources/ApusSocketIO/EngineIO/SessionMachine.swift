import Apus

/// Why an Engine.IO session ended, in the words that Socket.IO's users know.
package enum EngineEnd: String, Hashable, Sendable {
    case transportClose = "transport close"
    case transportError = "transport error"
    case parseError = "parse error"
    case pingTimeout = "ping timeout"
    case forcedClose = "forced close"
    case serverShuttingDown = "server shutting down"
    case limitExceeded = "limit exceeded"
}

/// One Engine.IO session as a step function: what comes goes in with the time, what is to be done comes out.
///
///     polling ──2probe──► probed ──5──► webSocket
///        │                  │               │
///        └──────────────────┴───────────────┴──► closed, by way of `leaving` where the client has yet to be told
///
/// A session that the server closes while it polls is `leaving`: the next poll gets what is queued, and the one after
/// it the close alone. Clients drop messages that come together with a close. Where the client may have stopped polling
/// already, since its probe was answered, the upgrade goes on, and the WebSocket gets what is queued and is closed.
struct SessionMachine {
    typealias Instant = ContinuousClock.Instant

    /// What the session is held by.
    struct Limits: Sendable {
        var pingInterval = Duration.seconds(25)
        var pingTimeout = Duration.seconds(20)
        var upgradeTimeout = Duration.seconds(10)
        /// How long a closed session waits for a poll that it can tell so.
        var farewellTimeout = Duration.seconds(30)
        /// How long a poll between a probe and the upgrade is held; see ``SessionMachine/poll(now:)``.
        var heldPoll = Duration.milliseconds(100)
        /// Bytes that wait for polls.
        var queuedBytes = 1 << 20
    }

    enum Transport { case polling, webSocket }
    private enum Phase { case open, leaving, closed }
    private enum Upgrade { case none, waiting, probed }
    private enum Poll { case none, hanging, held }

    /// What the owner is to do, in order.
    enum Action: Hashable {
        /// Ends the poll that hangs: 200, with these packets.
        case answerPoll([Message])
        /// Ends the poll that hangs: 400.
        case refusePoll
        /// Sends on the WebSocket that the session runs on.
        case send([Message])
        /// Sends on the WebSocket that probes.
        case sendOnProbe(Message)
        case closeProbe
        /// The session runs on the WebSocket that probed from now on.
        case adoptProbe
        case closeWebSocket
        /// Gives a message to the application.
        case deliver(Message)
        /// Tells the application. Nothing is delivered after it.
        case end(EngineEnd)
    }

    private let limits: Limits
    private(set) var transport: Transport
    private(set) var actions: [Action] = []
    private var phase = Phase.open
    private var upgrade = Upgrade.none
    private var hanging = Poll.none
    private var queue: [Message] = []
    /// What the queue takes up in memory.
    private(set) var queuedBytes = 0
    /// When the next ping is due, or, while a pong is awaited, when the wait ends.
    private var heartbeat: Instant
    private var awaitsPong = false
    private var upgradeEnd: Instant?
    private var pollEnd: Instant?
    private var farewellEnd: Instant?

    init(transport: Transport, limits: Limits, now: Instant) {
        self.transport = transport
        self.limits = limits
        heartbeat = now + limits.pingInterval
    }

    var isOpen: Bool { phase == .open }
    /// Whether a ping has not been answered yet.
    var isPongDue: Bool { isOpen && awaitsPong }
    /// Whether nothing of it is needed any more.
    var isClosed: Bool { phase == .closed }
    /// Whether what is sent now leaves at once.
    var isWritable: Bool { isOpen && (transport == .webSocket || hanging != .none) }

    mutating func takeActions() -> [Action] {
        defer { actions = [] }
        return actions
    }

    /// When ``tick(now:)`` has to be called, at the latest.
    var deadline: Instant? {
        guard phase != .closed else { return nil }
        guard phase == .open else { return [upgradeEnd, farewellEnd].compactMap { $0 }.min() }
        return [upgradeEnd, pollEnd].compactMap { $0 }.reduce(heartbeat, min)
    }
}

/// Time.
extension SessionMachine {
    /// Does what has become due.
    mutating func tick(now: Instant) {
        if phase == .leaving, let farewellEnd, now >= farewellEnd { finish() }
        guard phase != .closed else { return }
        if let upgradeEnd, now >= upgradeEnd { abandonProbe() }
        guard isOpen else { return }
        if let pollEnd, now >= pollEnd { answerPoll([.text("6")]) }
        guard now >= heartbeat else { return }
        // Each wait is counted from when the one before was over, not from when a timer said so.
        if !awaitsPong {
            awaitsPong = true
            heartbeat += limits.pingTimeout
            enqueue([.text("2")])
        }
        if now >= heartbeat { end(.pingTimeout) }
    }

    private mutating func pongCame(now: Instant) {
        guard awaitsPong else { return }
        awaitsPong = false
        heartbeat = now + limits.pingInterval
    }
}

/// Polling.
extension SessionMachine {
    /// What becomes of a poll that comes.
    enum PollOutcome: Hashable {
        case answer([Message])
        case hang
        case refuse
    }

    /// A GET has come. A poll that hangs is ended by an action.
    ///
    /// Between probe and upgrade a real client sends no poll that it would not wait for before it upgrades; but one
    /// that was sent behind the upgrade can be read before it, on another connection. So it is held for a while, and
    /// refused where the upgrade comes meanwhile.
    mutating func poll(now: Instant) -> PollOutcome {
        tick(now: now)
        if phase == .leaving { return .answer(takeFarewell(now: now)) }
        guard isOpen, transport == .polling else { return .refuse }
        guard hanging == .none else {
            answerPoll([.text("1")])
            end(.transportError)
            return .refuse
        }
        if !queue.isEmpty { return .answer(takeQueue()) }
        if upgrade == .probed {
            hanging = .held
            pollEnd = now + limits.heldPoll
        } else {
            hanging = .hanging
        }
        return .hang
    }

    /// What a poll of a session that leaves gets: what is queued, and next time the close.
    private mutating func takeFarewell(now: Instant) -> [Message] {
        guard queue.isEmpty else {
            farewellEnd = now + limits.farewellTimeout
            return takeQueue()
        }
        finish()
        return [.text("1")]
    }

    /// The connection of the poll that hangs is gone.
    mutating func pollGone() {
        guard hanging != .none else { return }
        hanging = .none
        pollEnd = nil
        end(.transportClose)
    }

    /// A POST has come. Returns whether it was understood; where not, the session is over.
    ///
    /// What a client sends before it knows that its session is closed is left out. It is no error: a client whose POST
    /// fails polls no more, and would miss what is queued.
    mutating func post(_ packets: [EnginePacket]?, now: Instant) -> Bool {
        tick(now: now)
        if phase == .leaving, let packets {
            if packets.contains(where: \.isClose) { finish() }
            return true
        }
        guard isOpen, transport == .polling else { return false }
        guard let packets else {
            end(.parseError)
            return false
        }
        for packet in packets where isOpen { receive(packet, now: now) }
        return true
    }

    private mutating func answerPoll(_ messages: [Message]) {
        hanging = .none
        pollEnd = nil
        actions.append(.answerPoll(messages))
    }

    private mutating func takeQueue() -> [Message] {
        defer { (queue, queuedBytes) = ([], 0) }
        return queue
    }
}

/// WebSocket.
extension SessionMachine {
    /// A WebSocket has come that names this session. Returns whether it may probe.
    mutating func probeCame(now: Instant) -> Bool {
        tick(now: now)
        guard isOpen, transport == .polling, upgrade == .none else { return false }
        upgrade = .waiting
        upgradeEnd = now + limits.upgradeTimeout
        return true
    }

    /// A message on the WebSocket that probes.
    mutating func probeSent(_ message: Message) {
        guard phase != .closed, upgrade != .none else { return }
        switch EnginePacket(message) {
        case .ping(let word)? where isOpen && word.hasSameBytes(as: "probe"):
            upgrade = .probed
            actions.append(.sendOnProbe(.text("3probe")))
            if hanging == .hanging { answerPoll([.text("6")]) }
        case .upgrade? where upgrade == .probed:
            completeUpgrade()
        default:
            abandonProbe()
        }
    }

    /// The WebSocket that probed is gone; the session goes on by polling.
    mutating func probeGone() { endUpgrade() }

    private mutating func endUpgrade() {
        upgrade = .none
        upgradeEnd = nil
    }

    private mutating func abandonProbe() {
        endUpgrade()
        actions.append(.closeProbe)
    }

    private mutating func completeUpgrade() {
        guard isOpen else {
            for message in takeQueue() { actions.append(.sendOnProbe(message)) }
            return finish()
        }
        endUpgrade()
        if hanging != .none {
            hanging = .none
            pollEnd = nil
            actions.append(.refusePoll)
        }
        transport = .webSocket
        actions.append(.adoptProbe)
        if !queue.isEmpty { actions.append(.send(takeQueue())) }
    }

    /// A message on the WebSocket that the session runs on.
    mutating func received(_ message: Message, now: @autoclosure () -> Instant) {
        guard isOpen, transport == .webSocket else { return }
        guard let packet = EnginePacket(message) else { return end(.parseError) }
        receive(packet, now: now())
    }

    /// The WebSocket that the session ran on is gone.
    mutating func webSocketGone(_ reason: EngineEnd) {
        guard transport == .webSocket else { return }
        end(reason)
    }
}

/// Both.
extension SessionMachine {
    /// What becomes of messages that are to be sent.
    enum SendOutcome: Hashable {
        /// They are the owner's to send, on the WebSocket.
        case write
        /// They wait for a poll, or went with one.
        case sent
        /// As many bytes as may wait for polls wait already.
        case full
        case closed
    }

    /// Takes messages that stay together.
    ///
    /// - Parameter isLast: whether they end what was sent before; then they are taken even where the queue is full.
    mutating func send(_ messages: [Message], isLast: Bool = false) -> SendOutcome {
        guard isOpen else { return .closed }
        guard transport == .polling else { return .write }
        let size = Self.footprint(messages)
        guard isLast || queuedBytes == 0 || queuedBytes + size <= limits.queuedBytes else { return .full }
        enqueue(messages)
        return .sent
    }

    /// What a message takes up beside its bytes: the header of its own block, and its place in the queue, which grows
    /// by doubling.
    static let messageOverhead = 64

    private static func footprint(_ messages: [Message]) -> Int {
        messages.reduce(0) { $0 + messageOverhead + $1.byteCount }
    }

    private mutating func enqueue(_ messages: [Message]) {
        if transport == .webSocket { return actions.append(.send(messages)) }
        queue += messages
        queuedBytes += Self.footprint(messages)
        if hanging != .none { answerPoll(takeQueue()) }
    }

    private mutating func receive(_ packet: EnginePacket, now: @autoclosure () -> Instant) {
        switch packet {
        case .text(let text): actions.append(.deliver(.text(String(text))))
        case .binary(let bytes): actions.append(.deliver(.binary(bytes)))
        case .pong: pongCame(now: now())
        case .close:
            if hanging != .none { answerPoll([.text("6")]) }
            end(.transportClose)
        case .ping: end(.transportError)  // in protocol 4 it is the server that pings
        case .open, .upgrade, .noop: break
        }
    }

    /// Whether a poll would find something.
    var isWaitingForPoll: Bool { transport == .polling && !queue.isEmpty }

    /// Ends the session at once, because of something that only its owner can see.
    mutating func fail(_ reason: EngineEnd) { end(reason) }

    /// Ends the session from this side: a poll is told, now or when it comes.
    mutating func close(_ reason: EngineEnd, now: Instant) {
        guard isOpen else { return }
        if transport == .polling, hanging == .none {
            farewellEnd = now + limits.farewellTimeout
            phase = .leaving
            // Before its probe is answered a client does not stop polling.
            if upgrade == .waiting { abandonProbe() }
            actions.append(.end(reason))
        } else {
            end(reason)
        }
    }

    private mutating func end(_ reason: EngineEnd) {
        guard isOpen else { return }
        // Nothing is queued while a poll hangs.
        if hanging != .none { answerPoll([.text("1")]) }
        finish()
        if transport == .webSocket { actions.append(.closeWebSocket) }
        actions.append(.end(reason))
    }

    private mutating func finish() {
        phase = .closed
        if upgrade != .none { abandonProbe() }
        _ = takeQueue()
    }
}

extension Message {
    /// How many bytes its payload has.
    var byteCount: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .binary(let bytes): bytes.count
        }
    }
}
