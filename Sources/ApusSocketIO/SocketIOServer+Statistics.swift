extension SocketIOServer {
    /// What a server has seen since it was made. All are counts that only grow, but for ``sessionsNow`` and
    /// ``pendingSessionsNow``.
    public struct Statistics: Hashable, Sendable {
        /// Sessions at present, of clients that poll and of those with a WebSocket.
        public internal(set) var sessionsNow = 0
        /// Those of them whose client has not joined a namespace yet.
        public internal(set) var pendingSessionsNow = 0
        /// Sessions refused with 503: ``Configuration/maxSessions``, ``Configuration/maxPendingSessions``.
        public internal(set) var sessionsRefused = 0
        /// Requests for a namespace that were refused: ``Configuration/maxNamespacesPerClient``,
        /// ``Configuration/maxDynamicNamespaces``, ``Configuration/maxAuthBytes``.
        public internal(set) var namespacesRefused = 0
        /// Sessions ended because of a name: ``Configuration/maxEventNameBytes``, ``Configuration/maxNamespaceBytes``.
        public internal(set) var namesRefused = 0
        /// Sessions ended because of a packet: ``Configuration/maxPacketBytes``, ``Configuration/maxAttachments``.
        public internal(set) var packetsRefused = 0
        /// Sessions ended because too much of them waited to be handled: ``Configuration/maxOvertakenBytes``.
        public internal(set) var sessionsOverrun = 0
        /// Lost clients forgotten before their time, who can no longer recover: ``Configuration/Recovery/maxClients``,
        /// ``Configuration/Recovery/maxBytes``.
        public internal(set) var recoveriesForgotten = 0

        /// Nothing seen yet.
        public init() {}
    }

    /// What the server has seen until now. From any thread.
    public var statistics: Statistics {
        var statistics = Statistics()
        statistics.sessionsNow = core.engine.sessionCount
        statistics.pendingSessionsNow = core.engine.pendingCount
        let refused = core.engine.refusals.all
        statistics.sessionsRefused = refused.sessions
        statistics.namespacesRefused = refused.namespaces
        statistics.namesRefused = refused.names
        statistics.packetsRefused = refused.packets
        statistics.sessionsOverrun = refused.overruns
        statistics.recoveriesForgotten = refused.recoveries
        return statistics
    }
}
