import COpenSSL
import Glibc

/// A plain socket that blocks, with which a test says to a server whatever it likes.
///
/// It shares no code with what it tests. One thread at a time may use it; every call gives up after `patience`.
public final class Client: @unchecked Sendable {
    private(set) var descriptor: CInt
    private var input: [UInt8] = []
    private var inputStart = 0
    /// The socket's TLS, if it speaks any.
    var tls: OpaquePointer?
    private var chunk = [UInt8](repeating: 0, count: 64 << 10)

    /// Why a call could not do what it is for.
    public enum Failure: Error, Equatable {
        /// The other end has closed its sending direction (FIN).
        case ended
        /// The other end has reset the connection (RST).
        case reset
        /// Nothing came, or nothing was taken, for so long that it will not any more.
        case timedOut
        /// What came is not what the standard says.
        case malformed(String)
    }

    /// Seconds after which a call gives up: a safety net, which no passing test comes near.
    private static let patience = 20

    /// Connects to a TCP port of 127.0.0.1.
    ///
    /// - Parameter receiveBuffer: how many bytes the kernel may hold for us; it takes twice as many, and some at
    ///   least.
    public init(port: Int, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("socket") }
        if let receiveBuffer { try set(SO_RCVBUF, receiveBuffer) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        try connect(&address)
    }

    /// Connects to a Unix socket.
    public init(unixSocketPath path: String) throws {
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("socket") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        try connect(&address)
    }

    /// Takes a connection of a ``RawServer``; waits for one.
    public init(acceptedFrom server: RawServer) throws {
        descriptor = try server.accept()
        try setPatience()
    }

    deinit { close() }

    private func connect<Address>(_ address: inout Address) throws {
        let result = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                Glibc.connect(descriptor, generic, socklen_t(MemoryLayout<Address>.size))
            }
        }
        guard result == 0 else { throw SystemError("connect") }
        try setPatience()
    }

    private func setPatience() throws {
        var patience = timeval(tv_sec: Self.patience, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        guard setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size) == 0,
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size) == 0
        else { throw SystemError("setsockopt") }
    }

    private func set(_ option: CInt, _ value: CInt) throws {
        var value = value
        guard setsockopt(descriptor, SOL_SOCKET, option, &value, socklen_t(MemoryLayout<CInt>.size)) == 0 else {
            throw SystemError("setsockopt")
        }
    }

    /// The port at our own end.
    public var localPort: Int {
        get throws {
            var address = sockaddr_in()
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = withUnsafeMutablePointer(to: &address) { address in
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
            }
            guard result == 0 else { throw SystemError("getsockname") }
            return Int(UInt16(bigEndian: address.sin_port))
        }
    }

    /// Sends all of the bytes.
    public func send(_ bytes: some Collection<UInt8>) throws {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { bytes in
                tls.map { Int(SSL_write($0, bytes.baseAddress, CInt(bytes.count))) }
                    ?? Glibc.send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL))
            }
            guard sent > 0 else { throw failure("send") }
            rest = rest.dropFirst(sent)
        }
    }

    /// Sends a text, `\r\n` and all.
    public func send(_ text: String) throws { try send(text.utf8) }

    /// The next `count` bytes.
    public func read(_ count: Int) throws -> [UInt8] {
        while input.count - inputStart < count {
            guard try fill() else { throw Failure.ended }
        }
        defer { inputStart += count }
        return Array(input[inputStart..<inputStart + count])
    }

    /// What comes up to and with `mark`.
    public func read(through mark: [UInt8]) throws -> [UInt8] {
        var searched = inputStart
        while true {
            while searched + mark.count <= input.count {
                if input[searched..<searched + mark.count].elementsEqual(mark) {
                    return try read(searched + mark.count - inputStart)
                }
                searched += 1
            }
            searched -= inputStart
            guard try fill() else { throw Failure.ended }
            searched += inputStart
        }
    }

    /// Everything up to the other end's FIN.
    public func readToEnd() throws -> [UInt8] {
        while try fill() {}
        return try read(input.count - inputStart)
    }

    /// Waits for the other end's FIN, before which nothing more may come.
    public func expectEnd() throws {
        let rest = try readToEnd()
        guard rest.isEmpty else {
            throw Failure.malformed("bytes before the end: \(String(decoding: rest.prefix(200), as: UTF8.self))")
        }
    }

    /// Takes in what the kernel has; `false` at the end.
    private func fill() throws -> Bool {
        input.removeFirst(inputStart)
        inputStart = 0
        let count = chunk.withUnsafeMutableBytes { bytes in
            tls.map { readSecure($0, bytes) } ?? recv(descriptor, bytes.baseAddress, bytes.count, 0)
        }
        guard count >= 0 else { throw failure("recv") }
        input += chunk.prefix(count)
        return count > 0
    }

    private func failure(_ call: String) -> any Error {
        switch errno {
        case ECONNRESET, EPIPE: Failure.reset
        case EAGAIN: Failure.timedOut
        default: SystemError(call)
        }
    }

    /// Closes our sending direction (FIN), and goes on reading.
    public func finish() {
        if let tls { SSL_shutdown(tls) }
        shutdown(descriptor, CInt(SHUT_WR))
    }

    /// Closes the socket: FIN, or RST where something is left unread.
    public func close() {
        guard descriptor >= 0 else { return }
        SSL_free(tls)
        tls = nil
        Glibc.close(descriptor)
        descriptor = -1
    }

    /// Closes the socket with RST.
    public func reset() throws {
        var linger = linger(l_onoff: 1, l_linger: 0)
        guard setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size)) == 0 else {
            throw SystemError("setsockopt")
        }
        close()
    }
}
