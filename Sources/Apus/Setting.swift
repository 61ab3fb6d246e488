/// Refuses a setting that is out of its range.
func check(_ value: Int, in range: ClosedRange<Int>, _ name: String) throws(WebSocketError) {
    guard !range.contains(value) else { return }
    throw WebSocketError(
        .invalidConfiguration, "\(name) must be from \(range.lowerBound) to \(range.upperBound), not \(value)")
}
