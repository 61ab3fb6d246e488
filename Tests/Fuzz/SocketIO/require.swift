/// Ends the run, which libFuzzer reports with the input, where `condition` does not hold.
func require(_ condition: Bool, _ words: String) {
    if !condition { fatalError("not true: \(words)") }
}

/// What libFuzzer gives, as the parsers take it.
func input(_ data: UnsafePointer<UInt8>?, _ count: Int) -> [UInt8] {
    Array(UnsafeBufferPointer(start: data, count: count))
}
