"""Every sentence Grillon says in a chat, in English and in French."""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "fr"]

_SENTENCES: dict[str, tuple[str, str]] = {
    "nothing_found": (
        "I found nothing about that in the documents you may read.",
        "Je n'ai rien trouvé à ce sujet dans les documents que vous pouvez lire.",
    ),
    "nearest": ("The nearest: {titles}.", "Le plus proche : {titles}."),
    "no_documents": (
        "There are no documents yet that you may read. The owner declares folders as [[collections]] in grillon.toml.",
        (
            "Il n'y a pas encore de documents que vous puissiez lire. Le propriétaire déclare des dossiers sous [[collections]] "
            "dans grillon.toml."
        ),
    ),
    "no_answer": (
        "The model gave no answer. These passages may help: {titles}.",
        "Le modèle n'a pas donné de réponse. Ces passages peuvent aider : {titles}.",
    ),
    "cut": (
        "The answer was cut at its length limit: /continue goes on.",
        "La réponse a été coupée à sa limite : /continue la poursuit.",
    ),
    "model_unreachable": (
        "The model server at {address} does not answer. Start it with “systemctl start ollama”, then ask again.",
        "Le serveur du modèle à {address} ne répond pas. Démarrez-le avec « systemctl start ollama », puis reposez la question.",
    ),
    "model_missing": (
        "The model {model} is not installed. Install it with “ollama pull {model}”, then ask again.",
        "Le modèle {model} n'est pas installé. Installez-le avec « ollama pull {model} », puis reposez la question.",
    ),
    "model_unreachable_openai": (
        "The model server at {address} does not answer. Start it, then ask again.",
        "Le serveur du modèle à {address} ne répond pas. Démarrez-le, puis reposez la question.",
    ),
    "model_missing_openai": (
        "The server at {address} has no model {model}. Name one that it has under [model] in grillon.toml.",
        "Le serveur à {address} n'a pas de modèle {model}. Nommez-en un qu'il possède sous [model] dans grillon.toml.",
    ),
    "model_missing_embedded": (
        "The embedded model {model} is not here: {detail}.",
        "Le modèle embarqué {model} n'est pas là : {detail}.",
    ),
    "model_unfit": (
        "The model {model} cannot be used: {detail}. Choose another one in grillon.toml; “ollama list” shows what is installed.",
        (
            "Le modèle {model} ne peut pas servir : {detail}. Choisissez-en un autre dans grillon.toml ; « ollama list » montre "
            "ceux qui sont installés."
        ),
    ),
    "model_loading": (
        "The model {model} is still loading. Ask again in a minute; “ollama ps” shows when it is there.",
        (
            "Le modèle {model} est encore en train de se charger. Reposez la question dans une minute ; « ollama ps » montre "
            "quand il est là."
        ),
    ),
    "model_slow": (
        "The model {model} took too long and was stopped. Ask again; “grillon doctor” shows whether it sits on the GPU.",
        (
            "Le modèle {model} a mis trop de temps et a été arrêté. Reposez la question ; « grillon doctor » montre s'il est sur "
            "la carte graphique."
        ),
    ),
    "model_busy": (
        "The model server has too much to do. Ask again in a minute.",
        "Le serveur du modèle a trop à faire. Reposez la question dans une minute.",
    ),
    "model_broken": (
        "The model stopped in the middle of its work. Ask again; if it happens often, look at “journalctl -u ollama”.",
        (
            "Le modèle s'est arrêté au milieu de son travail. Reposez la question ; si cela arrive souvent, regardez "
            "« journalctl -u ollama »."
        ),
    ),
    "prompt_too_long": (
        "The question is too long for the model's window. Ask a shorter one, or raise context_window in grillon.toml.",
        (
            "La question est trop longue pour la fenêtre du modèle. Posez-en une plus courte, ou augmentez context_window dans "
            "grillon.toml."
        ),
    ),
    "index_unavailable": (
        "The index is not ready yet. Ask again in a minute; “grillon status” shows how far it is.",
        "L'index n'est pas encore prêt. Reposez la question dans une minute ; « grillon status » montre où il en est.",
    ),
    "unknown_collection": (
        "There is no collection of that name that you may read.",
        "Il n'y a pas de collection de ce nom que vous puissiez lire.",
    ),
    "gave_up": (
        "Answering this failed several times, so it was set aside. Ask it again, perhaps in other words.",
        "Répondre à cette question a échoué plusieurs fois ; elle a été mise de côté. Reposez-la, peut-être autrement.",
    ),
    "expired": (
        "This question waited too long to be answered. Ask it again if it still matters.",
        "Cette question a attendu trop longtemps. Reposez-la si elle compte encore.",
    ),
    "cancelled": ("Stopped.", "Arrêté."),
    "reset": (
        "We start anew. What was said before stays out of the next answers.",
        "On repart de zéro. Ce qui précède ne comptera plus.",
    ),
    "forgotten": ("Everything stored about you has been erased.", "Tout ce qui était enregistré à votre sujet a été effacé."),
    "nothing_to_continue": ("There is no answer to continue.", "Il n'y a pas de réponse à poursuivre."),
    "no_sources": ("The last answer has no sources.", "La dernière réponse n'a pas de sources."),
    "sources": ("Sources of the last answer:", "Sources de la dernière réponse :"),
    "unknown_command": (
        "I do not know {command}. /help lists what I know.",
        "Je ne connais pas {command}. /help donne la liste.",
    ),
    "search_what": ("Say what to search for: /search WORDS.", "Dites quoi chercher : /search MOTS."),
    "greeting": (
        "Hello! Ask me anything that is in the household's documents. /help lists what else I can do.",
        "Bonjour ! Posez-moi une question sur les documents de la maison. /help dit ce que je sais faire d'autre.",
    ),
    "thanks": ("With pleasure.", "Avec plaisir."),
    "help": ("Ask a question, or use a command:", "Posez une question, ou utilisez une commande :"),
    # Who may talk, and as whom.
    "stranger": (
        "Hello! I answer the people of one household only. If you belong to it, ask its owner to let you in.",
        "Bonjour ! Je ne réponds qu'aux gens d'une maison. Si vous en êtes, demandez à son propriétaire de vous admettre.",
    ),
    "stranger_code": (
        "Hello! I do not know you yet. Give this code to the owner, who can let you in; it is good for a day: {code}",
        "Bonjour ! Je ne vous connais pas encore. Donnez ce code au propriétaire pour être admis ; il vaut un jour : {code}",
    ),
    "stranger_shared": (
        "Hello! I do not know you yet. Write to me in a private chat to be let in.",
        "Bonjour ! Je ne vous connais pas encore. Écrivez-moi en privé pour être admis.",
    ),
    "pace": (
        "That was a lot at once: I take {most} messages in {span}. Go on in {wait}.",
        "C'était beaucoup à la fois : je prends {most} messages en {span}. Continuez dans {wait}.",
    ),
    "a_minute": ("a minute", "une minute"),
    "a_day": ("a day", "un jour"),
    "seconds": ("{n} s", "{n} s"),
    "minutes": ("{n} min", "{n} min"),
    "hours": ("{n} h", "{n} h"),
    "owner_now": (
        "You are the owner now. /help lists what I can do.",
        "Vous êtes maintenant le propriétaire. /help dit ce que je sais faire.",
    ),
    "approved": ("{who} may talk to me now.", "{who} peut maintenant me parler."),
    "approve_what": ("Say which code: /approve CODE.", "Dites quel code : /approve CODE."),
    "approve_blocked": (
        "{who} is blocked. Let them back in first: grillon people unblock {who}.",
        "{who} est bloqué. Débloquez d'abord ce compte : grillon people unblock {who}.",
    ),
    "code_wrong": (
        "This code is wrong, used or too old. Ask for a new one.",
        "Ce code est faux, déjà utilisé ou trop ancien. Demandez-en un nouveau.",
    ),
    "code_tired": (
        "Too many wrong codes. Try again in an hour.",
        "Trop de codes faux. Réessayez dans une heure.",
    ),
    "code_private": (
        "Codes are for our private chat: write to me there.",
        "Les codes sont réservés à notre discussion privée : écrivez-moi là-bas.",
    ),
    "code_shared": (
        "Others could read this code, so it is void now. Make a new one, and send it to me in a private chat.",
        "D'autres ont pu lire ce code : il n'est plus valable. Faites-en un nouveau et envoyez-le-moi en privé.",
    ),
    "link_code": (
        "Send me this from your other account within {minutes} minutes, and both are you: /link {code}",
        "Envoyez-moi ceci depuis votre autre compte dans les {minutes} minutes, et les deux seront vous : /link {code}",
    ),
    "linked": (
        "Your accounts are one person now, with one memory: {accounts}.",
        "Vos comptes ne font plus qu'une personne, avec une seule mémoire : {accounts}.",
    ),
    "link_same": ("Both accounts are you already.", "Les deux comptes sont déjà vous."),
    "link_declared": (
        "Both accounts belong to people that the settings name, so I cannot make them one.",
        "Les deux comptes sont à des personnes nommées dans les réglages : je ne peux pas les réunir.",
    ),
    "link_unknown": (
        "The account that made this code may not talk here by itself, so it can let nobody in.",
        "Le compte qui a fait ce code n'a pas été admis lui-même : il ne peut faire entrer personne.",
    ),
    "unlinked": (
        "This account is on its own now, without memory. What was said before stays with {accounts}.",
        "Ce compte est maintenant à part, sans mémoire. Ce qui a été dit avant reste avec {accounts}.",
    ),
    "unlink_named": ("the person that the settings name", "la personne nommée dans les réglages"),
    "unlink_alone": ("This account is linked to no other.", "Ce compte n'est lié à aucun autre."),
    "unlink_unknown": (
        "Only an account of a chat platform can be unlinked.",
        "Seul un compte d'une plateforme de discussion peut être séparé.",
    ),
    "unlink_settings": (
        "The settings say that this account is yours; take it out of [[people]] in grillon.toml.",
        "Les réglages disent que ce compte est à vous ; retirez-le de [[people]] dans grillon.toml.",
    ),
    "nobody": (
        "I know nobody called {who}. Say a name, PLATFORM:ID or a number of “grillon people”.",
        "Je ne connais personne du nom de {who}. Dites un nom, PLATEFORME:ID ou un numéro de « grillon people ».",
    ),
    "block_owner": (
        "An owner cannot be blocked; take the right from them in grillon.toml first.",
        "On ne peut pas bloquer un propriétaire ; retirez-lui d'abord ce droit dans grillon.toml.",
    ),
    "blocked": ("{who} may not talk to me any more.", "{who} ne peut plus me parler."),
    "unblocked": ("{who} may talk to me again.", "{who} peut de nouveau me parler."),
}


def say(key: str, language: Language, **values: object) -> str:
    """The sentence `key` in `language`, with its blanks filled. Raises `KeyError` for a sentence that does not exist."""
    english, french = _SENTENCES[key]
    return (french if language == "fr" else english).format(**values)


def keys() -> frozenset[str]:
    """The names of all sentences."""
    return frozenset(_SENTENCES)


def as_language(text: str | None) -> Language | None:
    """The language of a locale such as `fr-CA`, None when it is neither French nor English."""
    start = (text or "")[:2].lower()
    if start == "fr":
        return "fr"
    return "en" if start == "en" else None
