package web

import (
	"net/http"

	"golang.org/x/text/language"
)

// languageField is the query parameter that chooses a language, and ends the name of the cookie that keeps it.
const languageField = "language"

// yearInSeconds is how long a choice of language is kept.
const yearInSeconds = 365 * 24 * 60 * 60

// Language is the one that the query asks for, else the one that was chosen before, else what the browser likes best.
// What is unknown is passed over.
func (k *Kit) Language(r *http.Request) Language {
	if asked, known := knownLanguage(r.URL.Query().Get(languageField)); known {
		return asked
	}
	if cookie, err := r.Cookie(k.languageCookie()); err == nil {
		if kept, known := knownLanguage(cookie.Value); known {
			return kept
		}
	}
	liked, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return Swedish
	}
	_, index, _ := language.NewMatcher([]language.Tag{language.Swedish, language.English}).Match(liked...)
	return Languages[index]
}

// keepLanguage keeps a language that was asked for.
func (k *Kit) keepLanguage(w http.ResponseWriter, r *http.Request) {
	if asked, known := knownLanguage(r.URL.Query().Get(languageField)); known {
		http.SetCookie(w, k.cookie(k.languageCookie(), string(asked), yearInSeconds))
	}
}

func (k *Kit) languageCookie() string { return k.Name + "_" + languageField }

func knownLanguage(name string) (Language, bool) {
	for _, l := range Languages {
		if string(l) == name {
			return l, true
		}
	}
	return "", false
}
