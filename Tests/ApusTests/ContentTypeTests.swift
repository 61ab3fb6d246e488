@testable import Apus
import Testing

struct ContentTypeTests {
    @Test(arguments: [
        ("a.html", "text/html; charset=utf-8"), ("A.HTML", "text/html; charset=utf-8"),
        ("a.b.js", "text/javascript; charset=utf-8"), ("folder.css/a.png", "image/png"), ("a.svg", "image/svg+xml"),
        ("a.webmanifest", "application/manifest+json"), ("a.wasm", "application/wasm"), ("a.woff2", "font/woff2"),
    ])
    func `a known extension has its type`(name: String, type: String) {
        #expect(ContentType.ofFile(named: name) == type)
    }

    @Test(arguments: ["", "/", "a", "a.", ".html/a", "folder.css/a", "a.xyz", "html"])
    func `anything else is bytes`(name: String) {
        #expect(ContentType.ofFile(named: name) == "application/octet-stream")
    }
}
