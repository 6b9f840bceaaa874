"""
Suggest the cloud's name of a language for a code or another name that a user wrote.

Invariant: this module only suggests. The client sends only the cloud's own name, written by the user. The codes are those of
ISO 639-1, 639-2 (both variants) and 639-3.
"""

from __future__ import annotations

import difflib
import re
from functools import cache

from airflow_provider_asposeocr.api.enums import LANGUAGES

#: The cloud's word, its codes, and after the bar other names: English ones, and own names of widespread languages.
_TABLE = """
English: en eng
German: de deu ger | Deutsch
French: fr fra fre | français
Italian: it ita | italiano
Spanish: es spa | Castilian, español, castellano
Portuguese: pt por | português
Polish: pl pol | polski
Slovene: sl slv | Slovenian, slovenščina
Slovak: sk slk slo | Slovakian, slovenčina
Netherlands: nl nld dut | Flemish, Nederlands
Lithuanian: lt lit
Latvian: lv lav
Danish: da dan | dansk
Norwegian: no nor nb nob nn nno | Bokmål, Bokmal, Norwegian Bokmål, Nynorsk, Norwegian Nynorsk, norsk
Finnish: fi fin | suomi
Serbian: sr srp | srpski, српски
Croatian: hr hrv | hrvatski
Czech: cs ces cze | Czechian, čeština
Swedish: sv swe | svenska
Estonian: et est ekk | eesti
Romanian: ro ron rum mo mol | Moldavian, Moldovan, română
Chinese: zh zho chi cmn | Mandarin, Simplified Chinese, Traditional Chinese, Chinese (Simplified), 中文, 汉语, 漢語
Russian: ru rus | русский
Arabic: ar ara arb | العربية
Hindi: hi hin | हिन्दी
Ukrainan: uk ukr | Ukrainian, українська
Bengali: bn ben | Bangla
Tibetan: bo bod tib
Thai: th tha | ไทย
Urdu: ur urd | اردو
Turkish: tr tur | Türkçe
Korean: ko kor | 한국어
Indonesian: id ind | Bahasa Indonesia
Hebrew: he heb iw | עברית
Javanese: jv jav jw
Greek: el ell gre | Modern Greek, ελληνικά
Japanese: ja jpn | 日本語
Persian: fa fas per pes | Farsi, فارسی
Albanian: sq sqi alb | shqip
Latin: la lat
Vietnamese: vi vie | tiếng Việt
Uzbek: uz uzb
Georgian: ka kat geo
Bulgarian: bg bul | български
Azerbaijani: az aze | Azeri
Kazah: kk kaz | Kazakh
Macedonian: mk mkd mac
Belorussian: be bel | Belarusian, Belarussian
Malay: ms msa may zsm | Bahasa Melayu
Hausa: ha hau
Sundanese: su sun
Swahili: sw swa swh | Kiswahili
Tagalog: tl tgl fil | Filipino
Yoruba: yo yor
Oromo: om orm
Cebuano: ceb
Dutch: nl nld dut | Flemish, Nederlands
Kurdish: ku kur kmr ckb | Kurmanji, Sorani
Serbo_Croatian: sh hbs
Malagasy: mg mlg plt
Zhuang: za zha
Turkmen: tk tuk
Somali: so som
Hungarian: hu hun | Magyar
Chichewa: ny nya | Chewa, Nyanja
Rwanda: rw kin | Kinyarwanda
Min_Bei: mnp | Min Bei Chinese, Northern Min
Zulu: zu zul | isiZulu
Ilocano: ilo | Iloko
Min_Dong: cdo | Min Dong Chinese, Eastern Min
Quechua: qu que
Hiligaynon: hil
Hmong: hmn
Shona: sn sna
Xhosa: xh xho | isiXhosa
Betawi: bew
Catalan: ca cat | Valencian, català
Afrikaans: af afr
Minangkabau: min
Sotho_Southern: st sot | Southern Sotho, Sesotho, Sotho
Bikol: bik bcl
Makua: vmw | Makhuwa
Kanuri: kr kau
Tswana: tn tsn | Setswana
Kikongo: kg kon | Kongo
Luo: luo | Dholuo
Sukuma: suk
Tsonga: ts tso | Xitsonga
Bosnian: bs bos | bosanski
Bemba: bem
Nandi: niq
Palembang: plm
Umbundu: umb
Sotho_Northern: nso | Northern Sotho, Pedi, Sepedi
Waray_Waray: war | Waray
Lamani: lmn | Lambadi, Banjara
Low_German: nds | Low Saxon, Plattdeutsch
Gilaki: glk
Musi: mui
HWT_ENG: | HWT, handwriting, handwritten, handwritten English, English handwriting
Pu_Xian: cpx | Pu-Xian Chinese
Kapampangan: pam | Pampanga
Bouyei: pcc
Galician: gl glg | galego
Ndebele: nr nbl nd nde | South Ndebele, North Ndebele
Yao: yao
Sasak: sas
Swati: ss ssw | Swazi, siSwati
Gusii: guz
Meru: mer
Wolaytta: wal | Wolaitta
Dong: kmc doc | Kam
Pangasinan: pag
Dimli: diq zza | Zazaki, Zaza
Makassar: mak | Makasar, Makassarese
Tumbuka: tum
Serer_Sine: srr | Serer
Occitan: oc oci | Provençal
Tonga: to ton toi tog | Tongan
Muong: mtq
Kiche: quc | K'iche'
Luguru: ruf
Wu: wuu | Wu Chinese, Shanghainese
Cantonese: yue | Yue, Yue Chinese
Min_Nan: nan | Min Nan Chinese, Hokkien, Taiwanese
Xiang: hsn | Xiang Chinese
Hakka: hak | Hakka Chinese
Gan: gan | Gan Chinese
Chechen: ce che
Kabardian: kbd
Marathi: mr mar
Bhojpuri: bho
Maithili: mai
Awadhi: awa
Nepali: ne nep npi
Marwari: mwr
Magahi: mag
Haryanvi: bgc
Chattisgarhi: hne | Chhattisgarhi
Dhundari: dhd
Konkani: kok knn gom
Kanauji: bjj
Mewati: wtm
Rajbanshi: rjs
Garhwali: gbm
Kumauni: kfy | Kumaoni
Wagdi: wbr
Malvi: mup
Mewari: mtr
Uyghur: ug uig | Uighur
Telugu: te tel
Kannada: kn kan
Tamil: ta tam
Devanagari: deva
"""


def suggest_languages(written: str) -> list[str]:
    """
    Return the languages of the cloud that a user may have meant.

    :param written: The user's text: a code, a locale such as ``de_AT``, or a name in English, which may be misspelt.
    :return: The cloud's names of them, the best first; empty if no name is similar.
    """
    names = _by_name()
    word = _plain(written)
    if word in names:
        return names[word]
    # A locale, or a code with a script: ``en-US``, ``chi_sim``, ``sr-Latn-RS``.
    code = re.split(r"[-_.@ ]", written.strip().lower())[0]
    if len(code) in (2, 3) and code != written.strip().lower():
        return names.get(code, [])
    # A word as short as a code is similar to many names by chance.
    if len(word) <= 3:
        return []
    likely = [name for name in names if len(name) > 3 and names[name] != ["HWT_ENG"]]
    near = difflib.get_close_matches(word, likely, n=1, cutoff=0.75)
    return names[near[0]] if near else []


def _plain(name: str) -> str:
    return re.sub(r"[\s_(),;'-]", "", name.lower())


@cache
def _by_name() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {_plain(word): [word] for word in LANGUAGES}
    for line in _TABLE.strip().splitlines():
        word, _, rest = line.partition(":")
        codes, _, names = rest.partition("|")
        for name in (*codes.split(), *names.split(",")):
            if plain := _plain(name):
                words = found.setdefault(plain, [])
                if word not in words:
                    words.append(word)
    return found
