@testable import ApusSocketIO

/// Checks the reading and writing of JSON, with any bytes as a text:
///
/// - what is read can be written, is read again as the same, and is written again as the same;
/// - as a value of Swift's, whichever way it went there, it is the same still;
/// - a text without its last byte is never read as the same thing, unless that byte was space.
@_cdecl("fuzz_json")
public func fuzzJSON(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = input(data, count)
    guard String(validating: bytes, as: UTF8.self) != nil, let value = json(bytes) else { return 0 }
    let text = written(value)
    require(json(text) == value, "what is written is read as it was")
    require(json(text).map(written) == text, "what is written is compact already")
    do {
        require(try JSON(encoding: value) == value, "a value is its own encoding")
        require(try value.decoded() as JSON == value, "a value is its own decoding")
    } catch {
        require(false, "a value can be encoded and decoded: \(error)")
    }
    _ = (value.int, value.double, value.string, value.array?.count, value["x"])
    let isOpen = [UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: "\"")].contains(text.last ?? 0)
    if isOpen { require(json(text.dropLast()) == nil, "a text that is cut is no text") }
    return 0
}

private func json(_ bytes: some Sequence<UInt8>) -> JSON? {
    do { return try JSONParser.parse(Array(bytes)) } catch { return nil }
}

private func written(_ value: JSON) -> [UInt8] {
    var writer = JSONWriter()
    writer.write(value)
    return writer.bytes
}
