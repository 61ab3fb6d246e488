import CApus

extension ServerShard {
    /// Starts to accept on the loop; takes the descriptor over in any case. `apus_listener_open`
    func open(_ descriptor: CInt, config: ListenerConfig) async throws(WebSocketError) {
        let error: CInt = await loop.run {
            var listener: OpaquePointer?
            // Released by `stopped`.
            let context = Unmanaged.passRetained(self)
            let error = apus_listener_open(
                &listener, self.loop.handle.pointer, descriptor, config.pointer, config.admission, context.toOpaque())
            if let listener, error == 0 {
                self.setListener(.open(listener, config))
            } else {
                context.release()
                apus_socket_close(descriptor)
            }
            return error
        }
        guard error == 0 else {
            throw WebSocketError(.outOfResources, "cannot watch a listening socket: memory or descriptors are out")
        }
    }

    /// Takes another TLS context for connections to come. `apus_listener_set_tls`; from any task.
    func setTLS(_ context: TLSContext) {
        loop.post {
            guard case .open(let listener, _) = self.currentListener else { return }
            apus_listener_set_tls(listener, context.pointer)
        }
    }

    /// Stops in order: no new connections, 1001 to WebSockets, and an end to everything after the deadline.
    /// `apus_listener_stop`; from any task, as often as one likes.
    func stop(deadline: Duration) {
        loop.post {
            guard case .open(let listener, _) = self.currentListener else { return }
            apus_listener_stop(listener, UInt32(deadline.milliseconds)) { context, statistics in
                guard let context else { return }
                let shard = Unmanaged<ServerShard>.fromOpaque(context).takeRetainedValue()
                shard.stopped(WebSocketServer.Statistics(statistics.pointee))
            }
        }
    }

    /// What there is of a listener.
    enum Listener: @unchecked Sendable {
        case none
        /// Open, or stopping; the core reads the configuration until the end.
        case open(OpaquePointer, ListenerConfig)
        case stopped(WebSocketServer.Statistics)

        /// `apus_listener_add_statistics`
        func addStatistics(to sum: inout WebSocketServer.Statistics) {
            switch self {
            case .none: return
            case .open(let pointer, _):
                var counts = apus_statistics()
                apus_listener_add_statistics(pointer, &counts)
                sum.add(WebSocketServer.Statistics(counts))
            case .stopped(let statistics): sum.add(statistics)
            }
        }
    }
}
