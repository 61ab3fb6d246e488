import CApus
import CApusInternals
import Glibc
import Testing
import TestSupport

/// Sockets that listen, closed in the end.
private struct Listening: ~Copyable {
    let descriptors: [CInt]

    init(host: String, port: UInt16 = 0, count: Int = 1) throws {
        var descriptors = [CInt](repeating: -1, count: count)
        try check(apus_socket_listen_tcp(host, port, 16, &descriptors, count))
        self.descriptors = descriptors
    }

    init(path: String, count: Int = 1) throws {
        var descriptors = [CInt](repeating: -1, count: count)
        try check(apus_socket_listen_unix(path, 16, &descriptors, count))
        self.descriptors = descriptors
    }

    deinit { for descriptor in descriptors { apus_socket_close(descriptor) } }

    func address(_ index: Int = 0) throws -> apus_address {
        var address = apus_address()
        try check(apus_socket_local(descriptors[index], &address))
        return address
    }
}

private struct SocketError: Error, Equatable { let number: CInt }

private func check(_ result: CInt) throws {
    if result != 0 { throw SocketError(number: result) }
}

extension apus_address {
    fileprivate var hostText: String {
        withUnsafeBytes(of: host) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

struct SocketTests {
    @Test func `port 0 gives every socket of the call the same free port`() throws {
        let listening = try Listening(host: "127.0.0.1", count: 3)
        let port = try listening.address().port
        #expect(port != 0)
        #expect(try (0..<3).map { try listening.address($0).port } == [port, port, port])
        #expect(try listening.address().hostText == "127.0.0.1")
        #expect(try !listening.address().is_unix)
    }

    /// A name may have addresses that the machine does not, as where there is no IPv6.
    @Test func `of several addresses the first that is here is listened on`() throws {
        let text = ["192.0.2.1", "2001:db8::1", "127.0.0.1"]
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var lists: [UnsafeMutablePointer<addrinfo>] = []
        for host in text {
            var found: UnsafeMutablePointer<addrinfo>?
            #expect(getaddrinfo(host, "0", &hints, &found) == 0)
            lists.append(try #require(found))
        }
        defer { for list in lists { freeaddrinfo(list) } }
        var descriptors: [CInt] = [-1, -1]
        #expect(apus__listen_any(lists[0], 16, &descriptors, 2) == -EADDRNOTAVAIL)
        for (list, next) in zip(lists, lists.dropFirst()) { list.pointee.ai_next = next }
        defer { for list in lists { list.pointee.ai_next = nil } }
        try check(apus__listen_any(lists[0], 16, &descriptors, 2))
        for descriptor in descriptors {
            var address = apus_address()
            try check(apus_socket_local(descriptor, &address))
            #expect(address.hostText == "127.0.0.1")
            apus_socket_close(descriptor)
        }
    }

    @Test func `a port that several sockets of somebody else share is in use all the same`() throws {
        let listening = try Listening(host: "127.0.0.1", count: 3)
        let port = try listening.address().port
        #expect(throws: SocketError(number: -EADDRINUSE)) {
            _ = try Listening(host: "127.0.0.1", port: port, count: 3)
        }
        #expect(throws: SocketError(number: -EADDRINUSE)) { _ = try Listening(host: "127.0.0.1", port: port) }
        #expect(apus_socket_is_in_use(-EADDRINUSE))
        #expect(!apus_socket_is_in_use(-EACCES))
    }

    @Test func `a port is free again as soon as its sockets are closed`() throws {
        let port = try Listening(host: "127.0.0.1", count: 2).address().port
        #expect(try Listening(host: "127.0.0.1", port: port, count: 2).address(1).port == port)
    }

    @Test(arguments: ["192.0.2.1", "256.1.1.1", "no such host", "a..b", ""])
    func `a host that is not here or does not resolve is not available`(host: String) {
        #expect(throws: SocketError(number: -EADDRNOTAVAIL)) { _ = try Listening(host: host) }
    }

    @Test func `all IPv6 addresses are all IPv4 addresses, too`() throws {
        let listening = try Listening(host: "::", count: 2)
        let port = try listening.address().port
        #expect(throws: SocketError(number: -EADDRINUSE)) { _ = try Listening(host: "127.0.0.1", port: port) }
    }

    @Test func `sockets do not block and do not outlive an exec`() throws {
        let listening = try Listening(host: "127.0.0.1", count: 2)
        for descriptor in listening.descriptors {
            #expect(fcntl(descriptor, F_GETFL) & O_NONBLOCK != 0)
            #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
        }
    }

    @Test func `the descriptors of a Unix socket are those of one socket`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let listening = try Listening(path: folder.path(of: "socket"), count: 3)
        for index in 0..<3 {
            let address = try listening.address(index)
            #expect(address.hostText == folder.path(of: "socket"))
            #expect(address.is_unix)
            #expect(address.port == 0)
            #expect(fcntl(listening.descriptors[index], F_GETFD) & FD_CLOEXEC != 0)
        }
    }

    @Test func `a Unix socket that nobody listens on any more is replaced`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path(of: "socket")
        _ = try Listening(path: path)
        #expect(access(path, F_OK) == 0)
        #expect(try Listening(path: path).address().hostText == path)
    }

    @Test func `a Unix socket that somebody listens on is in use`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path(of: "socket")
        let listening = try Listening(path: path)
        #expect(throws: SocketError(number: -EADDRINUSE)) { _ = try Listening(path: path) }
        #expect(try listening.address().hostText == path)
    }

    @Test func `a file that is no socket is left alone`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.write("precious", to: "socket")
        let path = folder.path(of: "socket")
        #expect(throws: SocketError(number: -EADDRINUSE)) { _ = try Listening(path: path) }
        #expect(access(path, F_OK) == 0)
    }

    @Test func `a path that no Unix socket can have is told apart`() throws {
        let path = "/tmp/" + String(repeating: "x", count: 108)
        #expect(throws: SocketError(number: -ENAMETOOLONG)) { _ = try Listening(path: path) }
        #expect(throws: SocketError(number: -ENOENT)) { _ = try Listening(path: "/nonexistent/socket") }
    }

    @Test func `both ends of a connection have names`() throws {
        let listening = try Listening(host: "127.0.0.1")
        let client = try Client(port: Int(listening.address().port))
        let accepted = accept(listening.descriptors[0], nil, nil)
        defer { apus_socket_close(accepted) }
        var peer = apus_address()
        try check(apus_socket_peer(accepted, &peer))
        #expect(peer.hostText == "127.0.0.1")
        #expect(try Int(peer.port) == client.localPort)
        #expect(apus_socket_peer(listening.descriptors[0], &peer) == -ENOTCONN)
        #expect(apus_socket_local(-1, &peer) == -EBADF)
    }

    @Test(arguments: [("127.0.0.1", AF_INET), ("::1", AF_INET6)])
    func `the peer's address is told as bytes, of either family`(host: String, family: CInt) throws {
        // There may be no IPv6 here.
        guard let listening = try? Listening(host: host) else {
            #expect(family == AF_INET6)
            return
        }
        var address = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let socket = socket(family, CInt(SOCK_STREAM.rawValue), 0)
        defer { apus_socket_close(socket) }
        let result = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                getsockname(listening.descriptors[0], generic, &size) == 0 ? connect(socket, generic, size) : -1
            }
        }
        #expect(result == 0)
        var ip = apus_ip()
        try check(apus_socket_peer_ip(socket, &ip))
        var text = [CChar](repeating: 0, count: Int(APUS_IP_TEXT_SIZE))
        let count = apus_ip_write(&ip, &text)
        #expect(String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self) == host)
        #expect(apus_socket_peer_ip(listening.descriptors[0], &ip) == -ENOTCONN)
    }

    @Test func `the peer of a Unix socket has no address`() throws {
        var pair: [CInt] = [-1, -1]
        #expect(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &pair) == 0)
        defer { pair.forEach(apus_socket_close) }
        var ip = apus_ip()
        #expect(apus_socket_peer_ip(pair[0], &ip) == APUS_EINVAL.rawValue)
    }

    @Test func `a negative errno has the system's words`() {
        #expect(String(cString: apus_socket_error_message(-EADDRINUSE)) == String(cString: strerror(EADDRINUSE)))
    }
}
