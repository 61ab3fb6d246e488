/* One look at each byte, nothing kept: extensions and parameters are read one by one. */
#include "wire/extension_reader.h"

#include "wire/list.h"
#include "wire/text.h"

#define FIELD_NAME "sec-websocket-extensions"

void apus__extension_reader_init(apus__extension_reader *reader, const apus_head *head)
{
    *reader = (apus__extension_reader){.head = head, .field = apus__head_find_from(head, 0, FIELD_NAME)};
}

static apus_text value_of(const apus__extension_reader *reader)
{
    return reader->head->fields[reader->field].value;
}

/* The next byte that is no white space; 0, which no field holds, at the end of the field. */
static char peek(apus__extension_reader *reader)
{
    apus_text text = value_of(reader);
    while (reader->at < text.len && apus__is_space((uint8_t)text.data[reader->at]))
        reader->at++;
    return reader->at < text.len ? text.data[reader->at] : '\0';
}

static bool read_token(apus__extension_reader *reader, apus_text *token)
{
    peek(reader);
    apus_text text = value_of(reader);
    size_t len = apus__text_count(text, reader->at, APUS__CLASS_TOKEN);
    *token = apus__text_slice(text, reader->at, reader->at + len);
    reader->at += len;
    return len != 0;
}

static void keep(apus__extension_parameter *parameter, char character)
{
    if (parameter->value_len < sizeof parameter->value)
        parameter->value[parameter->value_len++] = character;
}

/* RFC 9110 §5.6.4, from the opening quote on; what it stands for must be a token. */
static bool read_quoted(apus__extension_reader *reader, apus__extension_parameter *parameter)
{
    apus_text text = value_of(reader);
    for (size_t at = reader->at + 1; at < text.len; at++) {
        if (text.data[at] == '"') {
            reader->at = at + 1;
            return parameter->value_len != 0;
        }
        if (text.data[at] == '\\' && ++at == text.len)
            return false;
        if (!apus__is((uint8_t)text.data[at], APUS__CLASS_TOKEN))
            return false;
        keep(parameter, text.data[at]);
    }
    return false;
}

static bool read_value(apus__extension_reader *reader, apus__extension_parameter *parameter)
{
    if (peek(reader) == '"')
        return read_quoted(reader, parameter);
    apus_text token;
    if (!read_token(reader, &token))
        return false;
    for (size_t i = 0; i < token.len; i++)
        keep(parameter, token.data[i]);
    return true;
}

apus__extension_result apus__extension_next(apus__extension_reader *reader, apus_text *name)
{
    while (reader->field < reader->head->field_count) {
        char next = peek(reader);
        if (next == ',') {
            reader->at++;
        } else if (next != '\0') {
            return read_token(reader, name) ? APUS__EXTENSION_FOUND : APUS__EXTENSION_MALFORMED;
        } else {
            reader->field = apus__head_find_from(reader->head, reader->field + 1, FIELD_NAME);
            reader->at = 0;
        }
    }
    return APUS__EXTENSION_END;
}

apus__extension_result apus__extension_next_parameter(apus__extension_reader *reader,
                                                      apus__extension_parameter *parameter)
{
    *parameter = (apus__extension_parameter){0};
    char next = peek(reader);
    if (next == '\0' || next == ',')
        return APUS__EXTENSION_END;
    reader->at++;
    if (next != ';' || !read_token(reader, &parameter->name))
        return APUS__EXTENSION_MALFORMED;
    if (peek(reader) != '=')
        return APUS__EXTENSION_FOUND;
    reader->at++;
    parameter->has_value = true;
    return read_value(reader, parameter) ? APUS__EXTENSION_FOUND : APUS__EXTENSION_MALFORMED;
}

bool apus__extensions_are_valid(const apus_head *head)
{
    apus__extension_reader reader;
    apus__extension_reader_init(&reader, head);
    apus_text name;
    apus__extension_result result;
    while ((result = apus__extension_next(&reader, &name)) == APUS__EXTENSION_FOUND) {
        apus__extension_parameter parameter;
        while ((result = apus__extension_next_parameter(&reader, &parameter)) == APUS__EXTENSION_FOUND)
            ;
        if (result == APUS__EXTENSION_MALFORMED)
            return false;
    }
    return result == APUS__EXTENSION_END;
}
