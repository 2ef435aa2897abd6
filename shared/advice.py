"""What the owner of a pair can do about a message that was not sent: one sentence for each of Telegram's words. Pure."""

from shared.pair import DeliveryState

LOOK = (
    "Look into the channel: if the message stands there twice, delete one; if it is missing, resend."
    " It is never sent again by itself, so that it cannot be doubled."
)
ADD_BOT = "Add the bot to the channel as an administrator that may post messages, then resend."
GIVE_RIGHT = "Give the bot the right to post messages in the channel, then resend."
CHECK_CHANNEL = (
    "Check that the channel still exists and that its id is right, and that the bot is an administrator of it."
)
LIFT = (
    "Telegram restricts this channel or the bot in it; look at the channel's notices in Telegram, or ask its support."
)
NOT_A_CHANNEL = "This is the id of a person or a bot, not of a channel; correct the channel's id."
SHORTEN = "Shorten the title, the description or the donation message."
CHECK_TEXTS = "Check the titles, descriptions and the donation message for unusual characters, and save them again."
CHECK_BUTTONS = "Check the subscription tiers: their prices, their days, and the channel's id in their links."
WAIT = "Telegram or the connection to it was at fault; it is tried again by itself."
OPERATOR = "Telegram does not accept the bot itself; whoever runs Broadcast Manager must look after its token."
UNKNOWN = "These words are new to us. It is tried again up to four times; if it goes on, check the bot's rights in the channel."

_BEGINNINGS: tuple[tuple[str, str], ...] = (
    # The first beginning that fits wins; Telegram's words are compared without regard to case.
    ("forbidden: bot was kicked", ADD_BOT),
    ("forbidden: bot is not a member", ADD_BOT),
    ("bad request: need administrator rights", ADD_BOT),
    ("bad request: chat_admin_required", ADD_BOT),
    ("bad request: channel_private", ADD_BOT),
    ("bad request: member list is inaccessible", ADD_BOT),
    ("bad request: have no write access", GIVE_RIGHT),
    ("bad request: have no rights", GIVE_RIGHT),
    ("bad request: not enough rights", GIVE_RIGHT),
    ("bad request: chat_write_forbidden", GIVE_RIGHT),
    ("bad request: chat_send_", GIVE_RIGHT),
    ("bad request: pin_restricted", GIVE_RIGHT),
    ("bad request: user_banned_in_channel", LIFT),
    ("bad request: chat_restricted", LIFT),
    ("bad request: chat not found", CHECK_CHANNEL),
    ("bad request: private chat not found", CHECK_CHANNEL),
    ("bad request: channel_", CHECK_CHANNEL),
    ("bad request: peer_id_invalid", CHECK_CHANNEL),
    ("bad request: chat_id", CHECK_CHANNEL),
    ("bad request: group is deactivated", CHECK_CHANNEL),
    ("bad request: group chat was", CHECK_CHANNEL),
    ("forbidden: the group chat was deleted", CHECK_CHANNEL),
    ("forbidden: bot was blocked", NOT_A_CHANNEL),
    ("forbidden: user is deactivated", NOT_A_CHANNEL),
    ("forbidden: bot can't", NOT_A_CHANNEL),
    ("forbidden: the bot can't", NOT_A_CHANNEL),
    ("bad request: message is too long", SHORTEN),
    ("bad request: message_too_long", SHORTEN),
    ("bad request: text is too long", SHORTEN),
    ("bad request: entities_too_long", SHORTEN),
    ("request entity too large", SHORTEN),
    ("bad request: can't parse inline keyboard", CHECK_BUTTONS),
    ("bad request: button_", CHECK_BUTTONS),
    ("bad request: bot_domain_invalid", CHECK_BUTTONS),
    ("bad request: inline keyboard", CHECK_BUTTONS),
    ("bad request: reply", CHECK_BUTTONS),
    ("bad request: can't parse reply", CHECK_BUTTONS),
    ("bad request: object expected as reply markup", CHECK_BUTTONS),
    ('bad request: field "inline_keyboard"', CHECK_BUTTONS),
    ("bad request: can't parse entities", CHECK_TEXTS),
    ("bad request: can't parse messageentity", CHECK_TEXTS),
    ("bad request: strings must be encoded", CHECK_TEXTS),
    ("bad request: entity_bounds_invalid", CHECK_TEXTS),
    ("bad request: message text is empty", CHECK_TEXTS),
    ("bad request: text must be non-empty", CHECK_TEXTS),
    ("bad request: message_empty", CHECK_TEXTS),
    ("unauthorized", OPERATOR),
    ("logged out", OPERATOR),
    ("not found", OPERATOR),
    ("bad request: frozen_method_invalid", OPERATOR),
    ("too many requests", WAIT),
    ("internal server error", WAIT),
    ("bad gateway", WAIT),
    ("misdirected request", WAIT),
)


def advice(state: DeliveryState, error: str | None) -> str:
    """What to do about a message that ended so, with Telegram's words for it; empty where there is nothing to do."""
    if state is DeliveryState.UNCONFIRMED:
        return LOOK
    return advice_on(error or "") if state is DeliveryState.FAILED else ""


def advice_on(error: str) -> str:
    """What to do about a refusal in these words."""
    words = error.casefold()
    return next((sentence for beginning, sentence in _BEGINNINGS if words.startswith(beginning)), UNKNOWN)
