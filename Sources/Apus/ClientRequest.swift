import HTTPTypes

/// A client's opening handshake, and its destination.
struct ClientRequest: Sendable {
    var url: WebSocketURL
    var headerFields: HTTPFields
    let subprotocols: [String]
    let proxy: WebSocketClient.Configuration.Proxy?

    init(_ url: WebSocketURL, _ configuration: WebSocketClient.Configuration) {
        self.url = url
        headerFields = configuration.headerFields
        subprotocols = configuration.subprotocols
        proxy = configuration.proxy
        authorize()
    }

    /// Goes on to where a redirect leads. What identifies the user stays with the origin it was meant for.
    mutating func move(from old: WebSocketURL, to new: WebSocketURL) {
        url = new
        if !new.isSameOrigin(as: old) {
            headerFields[.authorization] = nil
            headerFields[.cookie] = nil
        }
        authorize()
    }

    /// RFC 7617 §2.
    private mutating func authorize() {
        guard let userInfo = url.userInfo, headerFields[.authorization] == nil else { return }
        headerFields[.authorization] = "Basic \(String(base64Encoding: userInfo))"
    }
}
