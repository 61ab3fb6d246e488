import Apus
import Synchronization

/// What it remembers of its namespace, so that clients whose connections were lost can go on.
extension InMemoryAdapter {
    /// Gives a packet its place among those that are remembered, where any are.
    public func recorded(_ packet: BroadcastPacket, to audience: Audience) -> BroadcastPacket {
        // Without this there is nothing to remember, and no need to lock.
        guard core.configuration.recovery != nil else { return packet }
        return state.withLock { state in
            var packet = packet
            state.memory?.record(&packet.packet, to: audience)
            state.report()
            forgetInTime(&state)
            return packet
        }
    }

    /// Remembers a client that was lost.
    public func persist(_ session: RecoveredSession) {
        let forgotten = state.withLock { state in
            defer {
                state.report()
                forgetInTime(&state)
            }
            return state.memory?.persist(session) ?? 0
        }
        for _ in 0..<forgotten { core.engine.refusals.count(\.recoveries) }
    }

    /// Forgets a client that was lost: it is not to come back.
    public func forget(privateID: String) {
        state.withLock { state in
            state.memory?.forget(privateID: privateID)
            state.report()
        }
    }

    /// Forgets the clients of an audience that were lost.
    public func forget(_ audience: Audience) {
        state.withLock { state in
            state.memory?.forget(audience)
            state.report()
        }
    }

    /// Gives back a client that was lost.
    public func restore(privateID: String, offset: String) -> Recovery? {
        state.withLock { state in
            defer { state.report() }
            return state.memory?.restore(privateID: privateID, offset: offset) ?? nil
        }
    }

    /// What is out of its time is forgotten, also where nothing is sent and nobody is lost any more.
    func forgetInTime(_ state: inout State) {
        guard !state.isForgetting, let due = state.memory?.forgetOld() else { return }
        state.isForgetting = true
        core.engine.timers.schedule(at: due, for: self) { [weak self] in self?.forgetOld() }
    }

    private func forgetOld() {
        state.withLock { state in
            state.isForgetting = false
            forgetInTime(&state)
            state.report()
        }
    }
}
