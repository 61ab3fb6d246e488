import CApusCore

/// The bytes of a text as it stands in a test; `\r\n` are two.
func bytes(_ text: String) -> [UInt8] {
    Array(text.utf8)
}

extension apus_text {
    /// A copy.
    var bytes: [UInt8] {
        Array(UnsafeRawBufferPointer(start: data, count: len))
    }

    /// A copy as text; what is not UTF-8 shows as U+FFFD.
    var string: String {
        String(decoding: bytes, as: UTF8.self)
    }
}

/// Lends `text` to C for the time of `body`; it lies against an unreadable page.
func withText<Result>(_ text: [UInt8], _ body: (apus_text) -> Result) -> Result {
    let input = GuardedInput(text)
    return withExtendedLifetime(input) { body(apus_text(data: input.characters, len: input.count)) }
}

func withText<Result>(_ text: String, _ body: (apus_text) -> Result) -> Result {
    withText(bytes(text), body)
}

/// What was written, as a copy.
func contents(of written: apus_bytes) -> [UInt8] {
    Array(UnsafeBufferPointer(start: written.data, count: written.len))
}

/// Runs a writer that must succeed, and returns what it wrote as text.
func written(by write: (UnsafeMutablePointer<apus_bytes>) -> Int32) throws -> String {
    var out = apus_bytes()
    defer { apus_bytes_deinit(&out) }
    try CoreError.check(write(&out))
    return String(decoding: contents(of: out), as: UTF8.self)
}

/// What a C function returned where it did not succeed.
struct CoreError: Error, Equatable {
    let code: apus_error

    static func check(_ result: Int32) throws {
        if result != APUS_OK.rawValue {
            throw CoreError(code: apus_error(rawValue: result))
        }
    }

    /// How something ends that throws nothing else.
    static func code(of body: () throws -> Void) -> apus_error {
        do {
            try body()
            return APUS_OK
        } catch let error as CoreError {
            return error.code
        } catch {
            fatalError("only the core's errors are thrown here")
        }
    }
}
