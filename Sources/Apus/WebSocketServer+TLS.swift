import Logging

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension WebSocketServer {
    /// Reads the certificates again from the files of ``Configuration/tls``, for connections still to come; those
    /// that are open go on with theirs. Each event loop takes them in its next turn. Never suspends; from any task.
    ///
    /// - Throws: ``WebSocketError``: `unreadableFile`, or `invalidConfiguration` (also for a server without TLS), and
    ///   then everything stays as it was.
    public func reloadTLS() throws(WebSocketError) {
        guard let configuration = configuration.tls else { throw .noTLS }
        try reloadTLS(configuration)
    }

    /// Takes another TLS configuration for connections still to come; else as ``reloadTLS()``.
    public func reloadTLS(_ configuration: TLSConfiguration) throws(WebSocketError) {
        guard self.configuration.tls != nil else { throw .noTLS }
        let context = try Self.makeTLS(configuration, logger: logger)
        // Under the lock, so that of two at a time all loops take the same one.
        tls.withLock { current in
            current = context
            listeners.withLock { $0 }.forEach { $0.setTLS(context) }
        }
    }

    /// Makes the context, and warns of certificates that are of no use, or soon will be: a server that does not start
    /// would help nobody.
    static func makeTLS(_ configuration: TLSConfiguration, logger: Logger) throws(WebSocketError) -> TLSContext {
        let context = try TLSContext(configuration)
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let secondsLeft = context.expiry - Int64(now.tv_sec)
        if secondsLeft <= 0 {
            logger.warning("a TLS certificate has expired: clients will refuse it")
        } else if secondsLeft < 14 * 86_400 {
            logger.warning("a TLS certificate expires soon", metadata: ["days": "\(secondsLeft / 86_400)"])
        }
        return context
    }

    /// Gives the listeners, which have just opened, whatever is the newest by now.
    func settleTLS() {
        tls.withLock { current in
            guard let current else { return }
            listeners.withLock { $0 }.forEach { $0.setTLS(current) }
        }
    }
}

extension WebSocketError {
    fileprivate static let noTLS = Self(
        .invalidConfiguration, "this server has no TLS to reload: set tls in its configuration")
}
