import CApus

/// IP addresses that begin alike.
struct AddressRange: Sendable {
    let range: apus_ip_range

    /// Reads `address` or `address/prefix`; `nil` for anything else. `apus_ip_range_parse`
    init?(_ text: String) {
        var range = apus_ip_range()
        var text = text
        guard text.withUTF8({ apus_ip_range_parse(&range, apus_text($0)) }) else { return nil }
        self.range = range
    }
}
