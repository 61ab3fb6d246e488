// An echo on Boost.Beast, with Boost.Asio's asynchronous operations on one thread.
#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>

namespace beast = boost::beast;
namespace asio = boost::asio;
using tcp = asio::ip::tcp;

static bool is_compressed;

class Session : public std::enable_shared_from_this<Session> {
public:
    explicit Session(tcp::socket socket) : stream_(std::move(socket)) {}

    void start()
    {
        stream_.next_layer().set_option(tcp::no_delay(true));
        stream_.read_message_max(64 << 20);
        beast::websocket::permessage_deflate deflate;
        deflate.server_enable = is_compressed;
        deflate.compLevel = 6;
        deflate.memLevel = 8;
        stream_.set_option(deflate);
        stream_.async_accept([self = shared_from_this()](beast::error_code error) {
            if (!error)
                self->read();
        });
    }

private:
    void read()
    {
        stream_.async_read(buffer_, [self = shared_from_this()](beast::error_code error, std::size_t) {
            if (!error)
                self->write();
        });
    }

    void write()
    {
        stream_.text(stream_.got_text());
        stream_.async_write(buffer_.data(), [self = shared_from_this()](beast::error_code error, std::size_t) {
            if (error)
                return;
            self->buffer_.clear();
            self->read();
        });
    }

    beast::websocket::stream<tcp::socket> stream_;
    beast::flat_buffer buffer_;
};

static void accept(tcp::acceptor &acceptor)
{
    acceptor.async_accept([&acceptor](beast::error_code error, tcp::socket socket) {
        if (!error)
            std::make_shared<Session>(std::move(socket))->start();
        accept(acceptor);
    });
}

int main(int argc, char **argv)
{
    unsigned short port = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (std::strcmp(argv[i], "--port") == 0)
            port = static_cast<unsigned short>(std::atoi(argv[i + 1]));
        else if (std::strcmp(argv[i], "--compression") == 0)
            is_compressed = std::strcmp(argv[i + 1], "off") != 0;
    }
    asio::io_context context(1);
    tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), port});
    acceptor.listen(4096);
    std::cout << "listening on " << acceptor.local_endpoint().port() << std::endl;
    accept(acceptor);
    context.run();
}
