/* The client's offer is a list that several fields may carry (RFC 6455 §11.3.4); the server picks one or none. */
#include "wire/subprotocol.h"

#include "apus/handshake.h"
#include "wire/list.h"
#include "wire/text.h"

#define FIELD_NAME "sec-websocket-protocol"

static bool holds(const apus_text *texts, size_t count, apus_text text)
{
    for (size_t i = 0; i < count; i++)
        if (apus__text_is_same(texts[i], text))
            return true;
    return false;
}

bool apus__subprotocols_are_valid(const apus_head *head)
{
    apus_text seen[APUS_HANDSHAKE_MOST_SUBPROTOCOLS];
    size_t count = 0;
    apus__list list;
    apus_text element;
    if (apus_head_find(head, FIELD_NAME) == NULL)
        return true;
    apus__list_init(&list, head, FIELD_NAME);
    while (apus__list_next(&list, &element)) {
        if (count == APUS_HANDSHAKE_MOST_SUBPROTOCOLS || !apus__text_is_token(element) || holds(seen, count, element))
            return false;
        seen[count++] = element;
    }
    return count > 0;
}

apus_text apus_handshake_choose_subprotocol(const apus_head *head, const apus_text *supported, size_t count)
{
    apus__list list;
    apus_text element;
    apus__list_init(&list, head, FIELD_NAME);
    while (apus__list_next(&list, &element))
        if (holds(supported, count, element))
            return element;
    return APUS__TEXT("");
}

bool apus_handshake_offers_subprotocol(const apus_head *head, apus_text subprotocol)
{
    apus__list list;
    apus_text element;
    apus__list_init(&list, head, FIELD_NAME);
    while (apus__list_next(&list, &element))
        if (apus__text_is_same(element, subprotocol))
            return true;
    return false;
}
