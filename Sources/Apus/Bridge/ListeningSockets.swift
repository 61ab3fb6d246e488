import CApus

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Listening sockets, one for each loop, until the loops take them over.
struct ListeningSockets: ~Copyable {
    private var descriptors: [CInt]
    /// Where they listen; the port is the real one also where any was asked for.
    let address: SocketAddress

    /// `apus_socket_listen_tcp`, `apus_socket_listen_unix`
    init(_ configuration: WebSocketServer.Configuration) throws(WebSocketError) {
        var descriptors = [CInt](repeating: -1, count: configuration.threads)
        let backlog = CInt(configuration.backlog)
        let error =
            switch configuration.address {
            case .tcp(let host, let port):
                apus_socket_listen_tcp(host, UInt16(port), backlog, &descriptors, descriptors.count)
            case .unix(let path):
                apus_socket_listen_unix(path, backlog, &descriptors, descriptors.count)
            }
        guard error == 0 else { throw WebSocketError(listeningOn: configuration.address, errno: error) }
        self.descriptors = descriptors
        var address = apus_address()
        let isKnown = apus_socket_local(descriptors[0], &address) == 0
        self.address = isKnown ? SocketAddress(address) : .unknown
    }

    deinit {
        for descriptor in descriptors { apus_socket_close(descriptor) }
    }

    /// The next one, which the caller owns from now on; `nil` when all are taken.
    mutating func take() -> CInt? { descriptors.popLast() }
}

extension WebSocketError {
    fileprivate init(listeningOn address: WebSocketServer.Configuration.Address, errno error: CInt) {
        let place =
            switch address {
            case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            case .unix(let path): path
            }
        let words = String(errno: error)
        if apus_socket_is_in_use(error) {
            self.init(.addressInUse, "cannot listen on \(place): it is in use; stop what holds it or take another one")
        } else if error == -EADDRNOTAVAIL {
            self.init(
                .cannotListen,
                "cannot listen on \(place): \(words); it is no address of this machine, or a name that nobody knows")
        } else {
            self.init(.cannotListen, "cannot listen on \(place): \(words)")
        }
    }
}
