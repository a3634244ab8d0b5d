"""Every sentence that Grillon says in a chat, in English: the source of all translations.

The key stands for the sentence in code, and is its context in the catalogues (`bot/speech/locales`). `make words` takes what is
new here into them.
"""

from __future__ import annotations

SENTENCES: dict[str, str | tuple[str, str]] = {}
"""By key: a sentence, or its singular and its plural."""


def sentence(key: str, english: str) -> None:
    """Name a sentence. `{blanks}` are filled by `bot.speech.sentences.say`."""
    _add(key, english)


def counted(key: str, one: str, many: str) -> None:
    """Name a sentence whose blank `{count}` decides between singular and plural."""
    _add(key, (one, many))


def _add(key: str, english: str | tuple[str, str]) -> None:
    if key in SENTENCES:
        raise ValueError(f"two sentences are called {key!r}")
    SENTENCES[key] = english


sentence("nothing_found", "I found nothing about that in the documents you may read.")
sentence("titles_between", "; ")
sentence("nearest", "The nearest: {titles}.")
sentence(
    "no_documents", "There are no documents yet that you may read. The owner declares folders as [[collections]] in grillon.toml."
)
sentence("no_answer", "The model gave no answer. These passages may help: {titles}.")
sentence("cut", "The answer was cut at its length limit: /continue goes on.")
sentence(
    "model_unreachable", "The model server at {address} does not answer. Start it with “systemctl start ollama”, then ask again."
)
sentence("model_missing", "The model {model} is not installed. Install it with “ollama pull {model}”, then ask again.")
sentence("model_unreachable_openai", "The model server at {address} does not answer. Start it, then ask again.")
sentence(
    "model_missing_openai", "The server at {address} has no model {model}. Name one that it has under [model] in grillon.toml."
)
sentence("model_missing_embedded", "The embedded model {model} is not here: {detail}.")
sentence(
    "model_unfit",
    "The model {model} cannot be used: {detail}. Choose another one in grillon.toml; “ollama list” shows what is installed.",
)
sentence("see_doctor", "“grillon doctor” says why")
sentence("model_loading", "The model {model} is still loading. Ask again in a minute; “ollama ps” shows when it is there.")
sentence(
    "model_slow", "The model {model} took too long and was stopped. Ask again; “grillon doctor” shows whether it sits on the GPU."
)
sentence("model_busy", "The model server has too much to do. Ask again in a minute.")
sentence(
    "model_broken", "The model stopped in the middle of its work. Ask again; if it happens often, look at “journalctl -u ollama”."
)
sentence(
    "prompt_too_long",
    "The question is too long for the model's window. Ask a shorter one, or raise context_window in grillon.toml.",
)
sentence("index_unavailable", "The index is not ready yet. Ask again in a minute; “grillon status” shows how far it is.")
sentence("unknown_collection", "There is no collection of that name that you may read.")
sentence("gave_up", "Answering this failed several times, so it was set aside. Ask it again, perhaps in other words.")
sentence("expired", "This question waited too long to be answered. Ask it again if it still matters.")
sentence("cancelled", "Stopped.")
sentence("reset", "We start anew. What was said before stays out of the next answers.")
sentence("forgotten", "Everything stored about you has been erased.")
sentence("nothing_to_continue", "There is no answer to continue.")
sentence("no_sources", "The last answer has no sources.")
sentence("sources", "Sources of the last answer:")
sentence("unknown_command", "I do not know {command}. /help lists what I know.")
sentence("search_what", "Say what to search for: /search WORDS.")
sentence("greeting", "Hello! Ask me anything that is in the household's documents. /help lists what else I can do.")
sentence("thanks", "With pleasure.")
sentence("may_not_have_arrived", "My last message may not have arrived. /retry asks again.")
sentence("button_stop", "🛑 Stop")
sentence("button_retry", "🔄 Again")
sentence("button_not_yours", "This button is not for you, or not valid any more.")
sentence("button_too_old", "That answer is not kept any more.")
sentence("private_erased", "You are in private mode: nothing is kept of that answer.")
sentence("source_gone", "This source is not there any more, or you may not read it any more.")
sentence("opinion_kept", "Thank you, noted.")
sentence("stopping", "I am stopping.")
sentence("rejected_empty", "The message is empty: write a question.")
sentence("rejected_too_long", "That is too long for one question. Send it as a file, or ask in fewer words.")
sentence("rejected_binary", "The message holds characters that are not text: send plain text.")
sentence("rejected_queue_full", "Too many questions are waiting already: try again in a while.")
sentence("attachment_many", "At most five files go with one question.")
sentence("attachment_voice", "I cannot listen yet: write what {name} says, please.")
sentence("attachment_kind", "I cannot read {name}. I read Markdown, text, HTML, PDF and, where the model can see, pictures.")
sentence("attachment_size", "{name} is too large: at most {most} MB are read.")
sentence("attachment_long", "{name} is too long to be read with a question. The owner can put it into a collection.")
sentence("attachment_unreadable", "I cannot read {name}: {reason}.")
# What fills {reason}: it is said in English by the readers, and looked up by that. `bot.replies.reason` knows their keys.
sentence("unreadable_password", "it is protected by a password")
sentence("unreadable_scan", "it holds no text: it is probably a scan")
sentence("unreadable_blank", "it holds no text")
sentence("unreadable_empty", "it is empty")
sentence("unreadable_binary", "it is binary, not text")
sentence("unreadable_encoding", "its encoding could not be recognised")
sentence("unreadable_pdf", "it is damaged, or not a PDF")
sentence("unreadable_pages", "it is damaged: none of its pages can be read")
sentence("unreadable_bomb", "it unpacks to far more than a document should hold")
sentence("unreadable_crash", "the reading process broke down on it")
sentence("unreadable_other", "its content could not be had")
sentence("attachment_blind", "The model {model} cannot see pictures.")
sentence("attachment_question", "What does this say, in short?")
sentence("waiting_queue", "You are number {place} in the queue.")
sentence("waiting_starting", "I am still starting.")
sentence("waiting_model", "The model is getting ready.")
sentence("help", "Ask a question, or use a command:")

sentence("labelled", "{name}: {what}")
sentence("start", "Hello, I am Grillon. I answer questions from the household's documents and name my sources.")
sentence("ask_what", "Say what you want to know: /ask QUESTION.")
sentence("owner_only", "Only the owner may do that.")
sentence("private_only", "I answer that in our private chat only.")
sentence("nothing_to_stop", "There is nothing to stop.")
sentence("nothing_to_retry", "There is no question to ask again.")
sentence("retry_private", "You talk in private, so I kept no question: write it once more.")

sentence("private_on", "Private mode is on: what you write and what I answer is erased as soon as it is sent.")
sentence("private_off", "Private mode is off: I remember our conversation.")
sentence("private_how", "/private on or /private off changes that.")
sentence("language_fixed", "I speak English with you.")
sentence("language_auto", "I speak the language that you write in.")
sentence("language_how", "/language en, /language fr or /language auto changes that.")
sentence("mydata", "Here is everything that is stored about you.")

sentence("collections", "What you may read here:")
counted("collection", "{name}: {count} document", "{name}: {count} documents")
counted("status_waiting", "{count} question is waiting for its turn.", "{count} questions are waiting for their turn.")
sentence("status_idle", "Nobody is waiting.")
sentence("status_model_ready", "The model {model} is ready.")
sentence("status_model_loading", "The model {model} is loaded with the next question.")
sentence("status_model_unknown", "I have not heard of the model {model} yet.")
sentence("status_model_away", "The model {model} cannot answer at the moment.")
sentence("status_loading", "The documents are still being loaded.")
counted("status_documents", "{count} document can be searched.", "{count} documents can be searched.")
counted("status_pending", "{count} passage is not in the index yet.", "{count} passages are not in the index yet.")
counted("status_skipped", "{name}: {count} file could not be read.", "{name}: {count} files could not be read.")
sentence("status_missing", "{name}: its folder is not there or is empty, so what was indexed is kept.")
sentence("status_detail", "The model {model}: {detail}")
sentence("status_since", "I have been running since {since}.")

sentence("index_whole", "I am bringing all collections up to date. /status shows how far I am.")
sentence("index_one", "I am bringing {name} up to date. /status shows how far I am.")
sentence("models", "Models that can answer:")
sentence("models_others", "Installed, but of no use for answers:")
sentence("models_none", "No model that can answer is installed.")
sentence("models_settings", "The model {model} is chosen in grillon.toml: only an Ollama server lets me choose another one.")
sentence("model_in_use", "{model} (in use)")
sentence("model_now", "The model {model} is in use. /model NAME chooses another one, /model default the one of the settings.")
sentence("model_chosen", "From the next question on, {model} answers.")
sentence("model_unknown", "There is no model of that name here. /models lists them.")
sentence("model_mute", "{model} cannot write answers. /models lists those that can.")
sentence("model_remote", "{model} runs outside of this house, so it is not used. /models lists those that run here.")

# Who may talk, and as whom.
sentence("stranger", "Hello! I answer the people of one household only. If you belong to it, ask its owner to let you in.")
sentence(
    "stranger_code", "Hello! I do not know you yet. Give this code to the owner, who can let you in; it is good for a day: {code}"
)
sentence("stranger_shared", "Hello! I do not know you yet. Write to me in a private chat to be let in.")
sentence("pace", "That was a lot at once: I take {most} messages in {span}. Go on in {wait}.")
sentence("a_minute", "a minute")
sentence("a_day", "a day")
sentence("seconds", "{n} s")
sentence("minutes", "{n} min")
sentence("hours", "{n} h")
sentence("owner_now", "You are the owner now. /help lists what I can do.")
sentence("approved", "{who} may talk to me now.")
sentence("approve_what", "Say which code: /approve CODE.")
sentence("approve_blocked", "{who} is blocked. Let them back in first: grillon people unblock {who}.")
sentence("code_wrong", "This code is wrong, used or too old. Ask for a new one.")
sentence("code_tired", "Too many wrong codes. Try again in an hour.")
sentence("code_private", "Codes are for our private chat: write to me there.")
sentence("code_shared", "Others could read this code, so it is void now. Make a new one, and send it to me in a private chat.")
sentence("link_code", "Send me this from your other account within {minutes} minutes, and both are you: /link {code}")
sentence("linked", "Your accounts are one person now, with one memory: {accounts}.")
sentence("link_same", "Both accounts are you already.")
sentence("link_declared", "Both accounts belong to people that the settings name, so I cannot make them one.")
sentence("link_named", "Ask me here for the code with /link, and send it from the other account: you are the one who stays.")
sentence(
    "link_sure",
    "Did you make this code yourself, from your other account? Then send the same once more, and both become one person, who "
    "reads what either has said. If somebody else gave it to you, do nothing: they would read what you have said.",
)
sentence("link_unknown", "The account that made this code may not talk here by itself, so it can let nobody in.")
sentence("unlinked", "This account is on its own now, without memory. What was said before stays with {accounts}.")
sentence("unlink_named", "the person that the settings name")
sentence("unlink_alone", "This account is linked to no other.")
sentence("unlink_unknown", "Only an account of a chat platform can be unlinked.")
sentence("unlink_settings", "The settings say that this account is yours; take it out of [[people]] in grillon.toml.")
sentence("nobody", "I know nobody called {who}. Say a name, PLATFORM:ID or a number of “grillon people”.")
sentence("block_owner", "An owner cannot be blocked; take the right from them in grillon.toml first.")
sentence("blocked", "{who} may not talk to me any more.")
sentence("block_what", "Say whom: /block NAME or /block PLATFORM:ID.")
sentence("done", "Done.")
sentence("people", "Who I know:")
sentence("person_owner", "{name} (owner)")
sentence("person_blocked", "{name} (blocked)")
sentence("answer_in_file", "The whole answer is in the file.")
sentence("press_again", "Press again to read all of it in our private chat.")
sentence("discord_ask_about", "Ask about this")
sentence("discord_file", "a file to read for this question")
sentence("discord_not_taken", "I could not take this. Please send it again.")
