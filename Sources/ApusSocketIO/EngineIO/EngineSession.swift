import Apus
import Synchronization

/// What lives on an Engine.IO session. Its calls come one at a time and in order, from whatever thread.
package protocol EngineApplication: AnyObject, Sendable {
    /// A message has come.
    func received(_ message: Message)
    /// The session runs on a WebSocket from now on. On the WebSocket's loop.
    func upgraded(to webSocket: WebSocket)
    /// A ping was sent, and its pong is due; or the pong has come.
    func pongIsDue(_ isDue: Bool)
    /// It is over. The last call.
    func ended(_ reason: EngineEnd)
    /// Returns once there is room for more messages, or one is due that must not wait.
    func waitForRoom() async
}

/// An Engine.IO session: its machine, and the requests and WebSockets that it acts on.
///
/// They may live on different loops; each caller takes the lock, and what the machine wants done is done before it is
/// given back. So the session has one order, and needs no loop of its own.
package final class EngineSession: Sendable {
    /// Its `sid`.
    package let id: String
    /// Who opened it.
    package let handshake: Handshake
    private let handshakeBytes: Int
    /// The loop of the connection that opened it.
    package let loop: EventLoop
    let engine: EngineServer
    let state: Mutex<State>
    /// Whether the application has accepted the client; see ``EngineConfiguration/maxPendingSessions``.
    private let isAccepted = Atomic(false)

    struct State: Sendable {
        var machine: SessionMachine
        var webSocket: WebSocket?
        var probe: WebSocket?
        var poll: (number: Int, continuation: UnsafeContinuation<PollAnswer, Never>)?
        var pollCount = 0
        var isPosting = false
        /// Tasks that wait until a poll has taken the queue.
        var senders: [(number: Int, continuation: UnsafeContinuation<Void, Never>)] = []
        var senderCount = 0
        var scheduled: ContinuousClock.Instant?
        var application: (any EngineApplication)?
        var deliveries: [Delivery] = []
        var isDelivering = false
        /// What the application was told last.
        var isPongDue = false
        /// Bytes that the memory gauge knows of.
        var gaugedBytes = 0
        /// What the client is told where the server ends the session because of a limit.
        var exceededSetting: String?
    }

    /// What ends a poll.
    enum PollAnswer: Sendable {
        case payload([Message])
        case refused
    }

    enum Delivery: Sendable {
        case message(Message)
        case upgraded(WebSocket)
        case pongIsDue(Bool)
        case end(EngineEnd)
    }

    init(engine: EngineServer, handshake: Handshake, id: String, loop: EventLoop, webSocket: WebSocket?) {
        self.engine = engine
        self.handshake = handshake
        handshakeBytes = handshake.footprint
        self.id = id
        self.loop = loop
        let machine = SessionMachine(
            transport: webSocket == nil ? .polling : .webSocket, limits: engine.configuration.limits, now: .now)
        state = Mutex(State(machine: machine, webSocket: webSocket))
    }

    /// The WebSocket that it runs on, if it does.
    package var webSocket: WebSocket? { state.withLock { $0.machine.transport == .webSocket ? $0.webSocket : nil } }

    package var isOpen: Bool { state.withLock { $0.machine.isOpen } }

    /// The application has accepted the client, so the session does not count as pending any more.
    package func accept() {
        if !isAccepted.exchange(true, ordering: .relaxed) { engine.accepted(self) }
    }

    deinit { MemoryGauge.subtract(state.withLock { $0.gaugedBytes }) }

    /// Begins: sets timers, and gives the application its session.
    func begin(_ application: any EngineApplication) {
        step { $0.application = application }
    }

    /// Lets the machine do a step, does what it wants, and gives out what came of it: now, or, to a caller who holds
    /// locks of the application's, soon.
    @discardableResult
    func step<T: Sendable>(deliversLater: Bool = false, _ body: (inout State) -> T) -> T {
        let (result, mustDeliver) = state.withLock { state in
            let result = body(&state)
            perform(&state)
            return (result, claimDelivery(&state))
        }
        if mustDeliver, deliversLater {
            loop.post { self.deliver() }
        } else if mustDeliver {
            deliver()
        }
        return result
    }
}

/// Doing what the machine says. Under the lock.
extension EngineSession {
    private func perform(_ state: inout State) {
        for action in state.machine.takeActions() { perform(action, &state) }
        tellOfPong(&state)
        schedule(&state)
        gauge(&state)
        if !state.machine.isOpen || state.machine.transport == .webSocket { wakeSenders(&state) }
    }

    /// What a session takes up beside its queue: itself, its machine, and its entries in tables.
    private static let ownBytes = 1024

    /// Reports what waits for polls, and the session itself once.
    private func gauge(_ state: inout State) {
        let bytes = Self.ownBytes + handshakeBytes + state.machine.queuedBytes
        guard bytes != state.gaugedBytes else { return }
        MemoryGauge.add(bytes - state.gaugedBytes)
        state.gaugedBytes = bytes
    }

    private func tellOfPong(_ state: inout State) {
        guard state.machine.isOpen, state.machine.isPongDue != state.isPongDue else { return }
        state.isPongDue = state.machine.isPongDue
        state.deliveries.append(.pongIsDue(state.isPongDue))
    }

    private func perform(_ action: SessionMachine.Action, _ state: inout State) {
        switch action {
        case .answerPoll(let messages):
            endPoll(.payload(messages), &state)
            wakeSenders(&state)
        case .refusePoll: endPoll(.refused, &state)
        case .send(let messages): if let webSocket = state.webSocket { write(messages, to: webSocket) }
        case .sendOnProbe(let message): if let probe = state.probe { write([message], to: probe) }
        case .closeProbe:
            state.probe?.beginClosing()
            state.probe = nil
        case .adoptProbe:
            state.webSocket = state.probe
            state.probe = nil
            if let webSocket = state.webSocket { state.deliveries.append(.upgraded(webSocket)) }
        case .closeWebSocket:
            if let setting = state.exceededSetting {
                state.webSocket?.beginClosing(.policyViolation, reason: "a packet exceeds \(setting)")
            } else {
                state.webSocket?.beginClosing()
            }
            state.webSocket = nil
        case .deliver(let message): state.deliveries.append(.message(message))
        case .end(let reason): state.deliveries.append(.end(reason))
        }
    }

    /// Sends what cannot wait: where there is no room, the client is too slow.
    func write(_ messages: [Message], to webSocket: WebSocket) {
        let write: @Sendable () -> Void = {
            if webSocket.trySendAll(messages) == .full { webSocket.beginClosing(.tryAgainLater) }
        }
        if webSocket.eventLoop.isCurrent { write() } else { webSocket.eventLoop.post(write) }
    }

    private func endPoll(_ answer: PollAnswer, _ state: inout State) {
        state.poll?.continuation.resume(returning: answer)
        state.poll = nil
    }

    private func wakeSenders(_ state: inout State) {
        for sender in state.senders { sender.continuation.resume() }
        state.senders = []
    }

    private func schedule(_ state: inout State) {
        guard let deadline = state.machine.deadline else { return forget() }
        if let scheduled = state.scheduled, scheduled <= deadline { return }
        state.scheduled = deadline
        engine.timers.schedule(at: deadline, for: self) { [weak self] in self?.timerFired(at: deadline) }
    }

    private func forget() { engine.forget(self) }

    private func timerFired(at due: ContinuousClock.Instant) {
        step { state in
            if state.scheduled == due { state.scheduled = nil }
            state.machine.tick(now: .now)
        }
    }
}

/// Giving out, in order, outside the lock.
extension EngineSession {
    private func claimDelivery(_ state: inout State) -> Bool {
        guard !state.isDelivering, !state.deliveries.isEmpty, state.application != nil else { return false }
        state.isDelivering = true
        return true
    }

    private func nextDeliveries() -> ([Delivery], (any EngineApplication)?) {
        state.withLock { state in
            let deliveries = state.deliveries
            state.deliveries = []
            state.isDelivering = !deliveries.isEmpty
            return (deliveries, state.application)
        }
    }

    private func deliver() {
        while true {
            let (deliveries, application) = nextDeliveries()
            guard !deliveries.isEmpty, let application else { return }
            for delivery in deliveries { deliver(delivery, to: application) }
        }
    }

    private func deliver(_ delivery: Delivery, to application: any EngineApplication) {
        switch delivery {
        case .message(let message): application.received(message)
        case .upgraded(let webSocket): application.upgraded(to: webSocket)
        case .pongIsDue(let isDue): application.pongIsDue(isDue)
        case .end(let reason):
            application.ended(reason)
            state.withLock { $0.application = nil }
        }
    }
}

/// What requests and WebSockets bring.
extension EngineSession {
    /// Waits for what a poll is answered with.
    func poll(_ request: Request) async -> PollAnswer {
        await withUnsafeContinuation { continuation in
            let number = step { state -> Int in
                state.pollCount += 1
                let number = state.pollCount
                switch state.machine.poll(now: .now) {
                case .answer(let messages):
                    wakeSenders(&state)
                    continuation.resume(returning: .payload(messages))
                case .refuse: continuation.resume(returning: .refused)
                case .hang:
                    // An action of this very step may end the poll before, never this one.
                    performNow(&state)
                    state.poll = (number, continuation)
                }
                return number
            }
            request.onDeparture { self.pollGone(number) }
        }
    }

    private func performNow(_ state: inout State) {
        for action in state.machine.takeActions() { perform(action, &state) }
    }

    func pollGone(_ number: Int) {
        step { state in
            guard let poll = state.poll, poll.number == number else { return }
            endPoll(.refused, &state)
            state.machine.pollGone()
        }
    }

    /// Whether a POST may bring its content now; the session is over where another one does.
    func beginPost() -> Bool {
        step { state in
            guard state.isPosting else {
                state.isPosting = true
                return true
            }
            state.machine.fail(.transportError)
            return false
        }
    }

    /// Takes a POST's packets. Returns whether they were understood.
    func endPost(_ packets: [EnginePacket]?) -> Bool {
        step { state in
            state.isPosting = false
            return state.machine.post(packets, now: .now)
        }
    }

    /// Ends the session, because of a request that cannot be one of its client.
    func fail() {
        step { $0.machine.fail(.transportError) }
    }

    /// A POST whose content never came whole, or was too large.
    func abandonPost() { state.withLock { $0.isPosting = false } }

    var transport: SessionMachine.Transport { state.withLock { $0.machine.transport } }

    /// Runs a WebSocket that opened the session, or that wants to take it over, until it ends.
    func run(_ webSocket: WebSocket, isProbe: Bool) async {
        if isProbe, !takeProbe(webSocket) { return }
        var reason = EngineEnd.transportClose
        do {
            for try await message in webSocket {
                guard message.byteCount <= engine.configuration.maxPayloadBytes else {
                    webSocket.beginClosing(.messageTooBig)
                    reason = .transportError
                    break
                }
                received(message, from: webSocket)
                await waitForRoom()
            }
        } catch {
            reason = error.code == .connectionLost ? .transportClose : .transportError
        }
        gone(webSocket, reason)
    }

    /// Returns once the application has room for more messages.
    func waitForRoom() async { await application?.waitForRoom() }

    var application: (any EngineApplication)? { state.withLock { $0.application } }

    private func takeProbe(_ webSocket: WebSocket) -> Bool {
        step { state in
            guard state.machine.probeCame(now: .now) else { return false }
            state.probe = webSocket
            return true
        }
    }

    private func received(_ message: Message, from webSocket: WebSocket) {
        step { state in
            if state.webSocket === webSocket {
                state.machine.received(message, now: .now)
            } else if state.probe === webSocket {
                state.machine.probeSent(message)
            }
        }
    }

    private func gone(_ webSocket: WebSocket, _ reason: EngineEnd) {
        step { state in
            if state.webSocket === webSocket {
                state.webSocket = nil
                state.machine.webSocketGone(reason)
            } else if state.probe === webSocket {
                state.probe = nil
                state.machine.probeGone()
            }
        }
    }
}
