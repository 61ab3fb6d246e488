import CApus

extension apus_endpoint_config {
    /// What the connections of a server have in common, but for TLS.
    init(_ configuration: WebSocketServer.Configuration) {
        self.init(APUS_ROLE_SERVER, configuration)
        body_limit = UInt64(configuration.maxBodyBytes)
        body_timeout = UInt32(configuration.bodyTimeout.milliseconds)
        answers_first = configuration.answersBeforeClosing
        stop_code = configuration.stopCode.rawValue
        stop_reason_len = UInt8(clamping: configuration.stopReason.utf8.count)
        withUnsafeMutableBytes(of: &stop_reason) { $0.copyBytes(from: configuration.stopReason.utf8.prefix($0.count)) }
        body_rate = UInt32(configuration.minBodyRate)
        keep_alive_timeout = UInt32(configuration.keepAliveTimeout.milliseconds)
        upgrade_timeout = UInt32(configuration.upgradeTimeout.milliseconds)
        departure_interval = UInt32(configuration.departureInterval.milliseconds)
    }

    /// What the connections of a client have in common, but for TLS.
    init(_ configuration: WebSocketClient.Configuration) {
        self.init(APUS_ROLE_CLIENT, configuration)
    }

    private init(_ role: apus_role, _ configuration: some ConnectionConfiguration) {
        self.init()
        apus_endpoint_config_init(&self, role)
        session.limits.size = UInt64(configuration.maxMessageBytes)
        session.limits.fragments = UInt32(configuration.maxFragments)
        compression = apus_compression_config(configuration.compression)
        head.size = UInt32(configuration.maxHeadBytes)
        head.fields = UInt32(configuration.maxHeadFields)
        handshake_timeout = UInt32(configuration.handshakeTimeout.milliseconds)
        ping_interval = UInt32(configuration.pingInterval?.milliseconds ?? 0)
        pings_missed = UInt32(configuration.maxMissedPings)
        close_timeout = UInt32(configuration.closeTimeout.milliseconds)
        lifetime = UInt32(configuration.maxLifetime?.milliseconds ?? 0)
        inbound_limit = configuration.maxInboundBytes
        outbound_limit = configuration.maxOutboundBytes
        burst_limit = configuration.maxBurstBytes
        slow_consumer_lag = UInt32(configuration.slowConsumerLag.milliseconds)
        least_rate = UInt32(configuration.minOutboundRate)
        stall_timeout = UInt32(configuration.outboundTimeout.milliseconds)
        slow_consumer = apus_slow_consumer(configuration.slowConsumerPolicy)
        callbacks = Callbacks.table
    }
}

extension apus_slow_consumer {
    fileprivate init(_ policy: WebSocketServer.Configuration.SlowConsumerPolicy) {
        self =
            switch policy {
            case .suspendSender: APUS_SLOW_CONSUMER_SUSPEND
            case .dropMessage: APUS_SLOW_CONSUMER_DROP
            case .close: APUS_SLOW_CONSUMER_CLOSE
            }
    }
}
