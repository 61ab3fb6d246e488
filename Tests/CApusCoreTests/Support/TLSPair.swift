import CApusCore
import TestSupport

/// A context of the core, with its reference.
final class TLSContext: @unchecked Sendable {
    let pointer: OpaquePointer

    /// What a context could not be made for.
    struct Failure: Error, Equatable {
        let error: apus_error
        let words: String
    }

    /// A chain and a key, in PEM form.
    typealias Pair = (chain: [UInt8], key: [UInt8])

    init(
        _ role: apus_role, _ certificates: [Pair] = [], protocols: [String]? = nil,
        verification: apus_tls_verification? = nil, roots: [UInt8] = []
    ) throws {
        var copies: [UnsafeMutableRawPointer] = []
        defer { copies.forEach { $0.deallocate() } }
        func text(_ bytes: [UInt8]) -> apus_text {
            let copy = UnsafeMutableRawPointer.allocate(byteCount: bytes.count + 1, alignment: 1)
            copy.copyMemory(from: bytes, byteCount: bytes.count)
            copies.append(copy)
            return apus_text(data: copy.assumingMemoryBound(to: CChar.self), len: bytes.count)
        }
        var config = apus_tls_config()
        apus_tls_config_init(&config, role)
        config.trusts_system = false
        if let verification { config.verification = verification }
        config.roots = text(roots)
        let own = certificates.map { apus_tls_certificate(chain: text($0.chain), key: text($0.key)) }
        let names = protocols.map { $0.map { text(Array($0.utf8)) } }
        var words = [CChar](repeating: 0, count: Int(APUS_TLS_WORDS_SIZE))
        var context: OpaquePointer?
        let error = own.withUnsafeBufferPointer { own in
            config.certificates = own.baseAddress
            config.certificate_count = own.count
            guard let names else { return apus_tls_context_new(&context, &config, &words) }
            return names.withUnsafeBufferPointer { names in
                config.protocols = names.baseAddress
                config.protocol_count = names.count
                return apus_tls_context_new(&context, &config, &words)
            }
        }
        guard let context else {
            let text = words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            throw Failure(error: apus_error(error), words: String(decoding: text, as: UTF8.self))
        }
        pointer = context
    }

    deinit { apus_tls_context_release(pointer) }
}

/// One connection of the core's, in memory.
final class TLSEnd {
    let pointer: OpaquePointer
    private(set) var plaintext: [UInt8] = []
    private(set) var error = APUS_OK
    /// Ciphertext that the other end has not got yet.
    var outgoing: [UInt8] = []

    init(_ context: TLSContext, host: String? = nil) throws {
        var made: OpaquePointer?
        let error = apus_tls_new(&made, context.pointer, host)
        guard let made else { throw TLSContext.Failure(error: apus_error(error), words: "") }
        pointer = made
        self.error = apus_error(collect { apus_tls_start(made, &$0) })
    }

    deinit { apus_tls_free(pointer) }

    private func collect(_ body: (inout apus_bytes) -> CInt) -> CInt {
        var out = apus_bytes()
        defer { apus_bytes_deinit(&out) }
        let result = body(&out)
        outgoing += UnsafeRawBufferPointer(start: out.data, count: out.len)
        return result
    }

    /// Takes ciphertext, in memory of its own, into a buffer for plaintext of that size.
    func receive(_ bytes: some Collection<UInt8>, buffer: Int = 20_000) {
        let copy = Array(bytes)
        var plain = [UInt8](repeating: 0, count: buffer)
        copy.withUnsafeBufferPointer { copy in
            guard let start = copy.baseAddress else { return }
            var input = apus_tls_input(data: start, len: copy.count)
            while true {
                var count = 0
                _ = collect { out in
                    count = apus_tls_receive(pointer, &input, &plain, plain.count, &out)
                    return 0
                }
                if count > 0 { plaintext += plain.prefix(count) }
                if count < 0 { error = apus_error(CInt(count)) }
                if count <= 0 { return }
            }
        }
    }

    func send(_ bytes: [UInt8]) -> apus_error {
        apus_error(collect { apus_tls_send(pointer, bytes, bytes.count, &$0) })
    }

    func close() -> apus_error { apus_error(collect { apus_tls_close(pointer, &$0) }) }

    func takeOutgoing() -> [UInt8] {
        defer { outgoing = [] }
        return outgoing
    }

    var isOpen: Bool { apus_tls_is_open(pointer) }
    var hasEnded: Bool { apus_tls_has_ended(pointer) }
    var isResumed: Bool { apus_tls_is_resumed(pointer) }
    var version: String { String(cString: apus_tls_version(pointer)) }
    var words: String { String(cString: apus_tls_words(pointer)) }
    var agreedProtocol: String { string(apus_tls_protocol(pointer)) }
    var serverName: String { string(apus_tls_server_name(pointer)) }

    var peerCertificate: [UInt8] {
        var out = apus_bytes()
        defer { apus_bytes_deinit(&out) }
        guard apus_tls_peer_certificate(pointer, &out) == 0 else { return [] }
        return Array(UnsafeRawBufferPointer(start: out.data, count: out.len))
    }

    private func string(_ text: apus_text) -> String {
        String(decoding: UnsafeRawBufferPointer(start: text.data, count: text.len), as: UTF8.self)
    }
}

/// A client and a server, which hear what the other says.
struct TLSPair {
    let client: TLSEnd
    let server: TLSEnd

    init(_ clients: TLSContext, _ servers: TLSContext, host: String = "localhost") throws {
        client = try TLSEnd(clients, host: host)
        server = try TLSEnd(servers)
    }

    /// Carries bytes until nobody says anything more, in pieces cut by `cut`.
    func exchange(_ cut: ([UInt8]) -> [ArraySlice<UInt8>] = { [$0[...]] }) {
        while !client.outgoing.isEmpty || !server.outgoing.isEmpty {
            for piece in cut(client.takeOutgoing()) { server.receive(piece) }
            for piece in cut(server.takeOutgoing()) { client.receive(piece) }
        }
    }
}

extension apus_error {
    init(_ number: CInt) { self = apus_error(rawValue: number) }
}
