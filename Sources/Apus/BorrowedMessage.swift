/// A whole message whose bytes still stand where the network put them.
///
/// It is valid during the call that hands it out, and cannot be kept: the compiler sees to that.
/// Nothing is allocated for it. ``message`` makes a copy to keep.
///
/// A task outlives the call, so it needs the copy. Make it outside of the task:
///
/// ```swift
/// try await socket.receive { message in
///     let copy = message.message
///     Task { try await topic.publish(copy) }
/// }
/// ```
///
/// A task that captures the borrowed message itself does not compile.
public struct BorrowedMessage: ~Escapable {
    // Copyable, as `RawSpan` is: Swift 6.3 crashes, rather than say what is wrong, where an escaping closure captures a
    // parameter that can be neither copied nor kept.

    /// Whether it is text, and so valid UTF-8.
    public let isText: Bool
    /// The payload.
    public let bytes: RawSpan

    @_lifetime(borrow bytes)
    init(isText: Bool, bytes: UnsafeRawBufferPointer) {
        self.isText = isText
        self.bytes = RawSpan(_unsafeBytes: bytes)
    }

    /// A copy to keep.
    public var message: Message {
        @inline(never)
        get { copy() }
    }

    /// The same, inlined: for the way of every message.
    @inline(__always)
    borrowing func copy() -> Message {
        bytes.withUnsafeBytes { bytes in
            isText ? .text(String(validatedUTF8: bytes)) : .binary(Bytes(copying: bytes))
        }
    }
}

extension Message {
    /// Lends the message for the time of a call.
    func lend(_ body: (borrowing BorrowedMessage) -> Void) {
        switch self {
        case .text(let text):
            text.utf8.span.withUnsafeBytes { body(BorrowedMessage(isText: true, bytes: $0)) }
        case .binary(let bytes):
            bytes.withUnsafeBytes { body(BorrowedMessage(isText: false, bytes: $0)) }
        }
    }
}

extension String {
    /// Copies bytes that the core has validated already; to validate them again would cost ten times as much.
    @inline(never)
    init(validatedUTF8 bytes: UnsafeRawBufferPointer) {
        let characters = Span<UInt8>(_unsafeBytes: bytes)
        self = String(copying: UTF8Span(unchecked: characters))
    }
}
