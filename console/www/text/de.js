// German.

/** @type {import('../text.js').Words} */
export default {
  skip: 'Zur Seite springen',
  menu: 'Seiten',
  language: 'Sprache',
  gallery: 'Schule',
  signedIn: 'Angemeldet als {name}',
  signOut: 'Abmelden',
  cancel: 'Abbrechen',
  offline: 'Der Server ist nicht zu erreichen. Läuft er, und ist dieses Gerät im Netz?',
  waiting: 'Warten auf den Server',
  working: 'Einen Moment …',
  chooseFile: 'Bild auswählen',
  chooseFiles: 'Bilder auswählen',
  chooseFolder: 'Ordner auswählen',
  pixels: '{n} Pixel',

  signin: {
    title: 'Anmelden',
    secret: 'Kopplungscode oder Token',
    hint: 'Ein Tablet nimmt den Code, den die Seite der Verwaltung zeigt. Personen nehmen ihr Token.',
    button: 'Anmelden',
    nothing: 'Für die Rolle {role} gibt es keine Seiten. Melden Sie sich mit einem anderen Token an.',
  },

  camera: {
    label: 'Was die Kamera sieht',
    use: 'Kamera benutzen',
    insecure: 'Ein Browser gibt Seiten die Kamera nur über HTTPS oder von diesem Gerät selbst. Starten Sie den Server mit einem Zertifikat: „rollcall tls init“.',
    refused: 'Die Kamera wurde verweigert. Erlauben Sie sie für diese Seite in den Einstellungen des Browsers.',
    busy: 'Ein anderes Programm benutzt die Kamera. Schließen Sie es und versuchen Sie es noch einmal.',
    missing: 'Hier gibt es keine Kamera.',
  },

  verdict: {
    bar: 'Ähnlichkeit {similarity}; ein Treffer braucht {threshold}',
  },

  identify: {
    menu: 'Erkennen',
    title: 'Wessen Gesicht ist das?',
    lead: 'Ein Bild einer Person. Nichts davon wird aufbewahrt.',
    drop: 'Ein Bild hierher ziehen',
    picture: 'Das Bild',
    take: 'Bild aufnehmen',
    why: 'Warum',
    candidates: 'Die ähnlichsten Schülerinnen und Schüler',
    threshold: 'Ein Treffer braucht eine Ähnlichkeit von',
    scope: 'Verglichene Schülerinnen und Schüler',
    strangers: 'Fremde, die jemandem so ähnlich wären',
    quality: 'Güte des Bildes (0 bis 1)',
    eyes: 'Abstand der Augen',
    model: 'Modell',
  },

  verdicts: {
    VERDICT_MATCH: 'Erkannt',
    VERDICT_AMBIGUOUS: 'Zwei sind einander zu ähnlich',
    VERDICT_UNKNOWN: 'Nicht erkannt',
    VERDICT_UNUSABLE: 'Das Bild ist nicht zu beurteilen',
  },
  reasons: {
    REASON_NO_FACE: 'Auf dem Bild ist kein Gesicht.',
    REASON_TOO_SMALL: 'Das Gesicht ist zu klein: näher kommen.',
    REASON_TOO_DARK: 'Das Gesicht ist zu dunkel: mehr Licht.',
    REASON_TOO_BRIGHT: 'Das Gesicht ist zu hell: weniger Licht.',
    REASON_TOO_BLURRED: 'Das Gesicht ist unscharf: stillhalten.',
    REASON_SEVERAL_FACES: 'Da sind mehrere Gesichter: bitte einzeln.',
    REASON_NOT_UPRIGHT: 'Das Gesicht ist nicht aufrecht.',
    REASON_DISTORTED: 'Das Bild des Gesichts ist verzerrt.',
    REASON_LOW_QUALITY: 'Dem Gesicht ist nicht zu trauen: gerade in die Kamera sehen, bei besserem Licht.',
    REASON_BELOW_THRESHOLD: 'Niemand, der aufgenommen ist, ist ähnlich genug.',
    REASON_TWO_STUDENTS_CLOSE: 'Zwei sind etwa gleich ähnlich.',
    REASON_NOBODY_ENROLLED: 'Es ist noch niemand aufgenommen.',
    REASON_TAKEN_BY_ANOTHER_CROP: 'Ein anderes Gesicht des Fotos passt besser.',
    REASON_TWO_CROPS_CLOSE: 'Ein anderes Gesicht des Fotos passt fast so gut.',
    REASON_ANOTHER_PERSON: 'Die Bilder zeigen verschiedene Personen.',
  },
  warnings: {
    WARNING_OTHER_MODEL: 'Das ist nicht das Modell aus den Einstellungen der Schule: nur was es eingebettet hat, wird verglichen.',
    WARNING_OTHER_RECIPE: 'Was gespeichert ist, wurde anders eingebettet und ist schlechter vergleichbar: nehmen Sie es neu auf.',
    WARNING_NOT_CALIBRATED: 'Weder Modell noch Schule sind kalibriert: die Schwelle ist die veröffentlichte.',
  },
};
